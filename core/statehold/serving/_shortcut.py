from __future__ import annotations

import asyncio
import http
from typing import Any, Final

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from statehold.processing import Request
from statehold.serving._answers import described
from statehold.serving._desk import Desk
from statehold.serving._errors import HttpError
from statehold.serving._parameters import query_parameters
from statehold.serving._paths import Call, Calls
from statehold.serving._protocol import Connection
from statehold.serving._results import Results
from statehold.serving._stream import Stream

_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_REMEMBERED: Final = 10_000
#: All that is asked of a scope while an answer is written.
_GET: Final[Any] = {"type": "http", "method": "GET"}


class QueryShortcut:
    """Answers queries right on their connection: no task, no messages, no copies of heads.

    That is half of what a query costs. What is not plain, such as a query with a body, a pipelined one or one
    whose client does not read, goes the long way.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._calls = Calls()
        self._known: dict[bytes, Call] = {}
        self._default: list[tuple[bytes, bytes]] | None = None
        self._head = b""

    def take(self, connection: Connection) -> bool:
        """Return whether this answers the request whose head *connection* has just read."""
        path, _, query = connection.url.partition(b"?")
        call = self._find(path)
        if call is None or connection.flow.write_paused:
            return False
        parser = connection.parser
        if parser.get_method() != b"GET" or parser.get_http_version() != "1.1":
            return False
        headers = connection.headers
        for name, _ in headers:
            if name in _BODY:
                return False
        answering = _Answering(connection, self, keep_alive=parser.should_keep_alive())
        connection.cycle = answering  # type: ignore[assignment]
        try:
            request = self._desk.request_of(headers, connection.client, call.app, call.workspace)
            args, constraints = query_parameters(query)
            self._ask(answering, request, call.name, args, constraints)
        except Exception as error:  # noqa: BLE001 - every error is an answer
            # Not before the parser has seen the end of the request.
            connection.loop.call_soon(answering.set_exception, error)
        return True

    def head(self, connection: Connection) -> bytes:
        """Return what every good answer begins with, the date of this second in it."""
        default = connection.server_state.default_headers
        if default is not self._default:
            self._default = default
            given = b"".join(b"%b: %b\r\n" % header for header in default)
            self._head = (
                b"HTTP/1.1 200 OK\r\n" + given + b"content-type: application/json\r\ncontent-length: "
            )
        return self._head

    def _find(self, path: bytes) -> Call | None:
        call = self._known.get(path)
        # An escaped path may be one of these, too; it goes the long way.
        if call is None and b"/queries/" in path and b"%" not in path:
            try:
                found = self._calls.find(path.decode("ascii"))
            except (HttpError, UnicodeDecodeError):
                return None
            if found is not None and not found.command:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                call = self._known[path] = found
        return call

    def _ask(
        self,
        answering: _Answering,
        request: Request,
        name: str,
        args: dict[str, Any] | None,
        constraints: dict[str, str] | None,
    ) -> None:
        runtime = self._desk.runtime
        results = answering.results = Results(answering.connection.loop)
        results.begun = answering
        self._desk.queries.submit_for(
            answering,
            results.run,
            lambda sink: runtime.query(request, name, args, constraints=constraints, sink=sink),
        )


class _Nothing:
    """Hears that something has come, and does not care."""

    def set(self) -> None:
        """Do nothing."""


_NOTHING: Final = _Nothing()


class _Answering:
    """A request that is being answered: to the connection its cycle, to the pool who waits for the result."""

    # On the class, because most of them never change.
    results: Results | None = None
    body = b""
    more_body = True
    disconnected = response_started = response_complete = False
    message_event = _NOTHING

    def __init__(self, connection: Connection, shortcut: QueryShortcut, *, keep_alive: bool) -> None:
        self.connection = connection
        self.shortcut = shortcut
        self.keep_alive = keep_alive

    def done(self) -> bool:
        """Return whether there is an answer, or nobody who takes one."""
        return self.response_started or self.disconnected

    def set_result(self, answer: bytes | Stream) -> None:
        """Answer with a body, or with one that is still coming."""
        if isinstance(answer, Stream):
            self.response_started = True
            self._stream(answer)
        else:
            self._write(b"%b%d" % (self.shortcut.head(self.connection), len(answer)), answer)

    def set_exception(self, error: BaseException) -> None:
        """Answer with an error."""
        if self.results is not None:
            self.results.leave()
        status, body, headers = described(error)
        given = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
        default = self.connection.server_state.default_headers
        lines = [
            b"HTTP/1.1 %d %b" % (status, _phrase(status)),
            *(b"%b: %b" % header for header in default),
            *(f"{name.lower()}: {value}".encode("latin-1", "replace") for name, value in given.items()),
        ]
        self._write(b"\r\n".join(lines), body)

    def _write(self, head: bytes, body: bytes) -> None:
        connection = self.connection
        self.response_started = self.response_complete = True
        if connection.transport.is_closing():
            return
        end = b"\r\n\r\n" if self.keep_alive else b"\r\nconnection: close\r\n\r\n"
        connection.transport.write(b"".join((head, end, body)))
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()

    def _stream(self, stream: Stream) -> None:
        """Go on the long way: what comes piece by piece has to wait for its client."""
        connection = self.connection

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - as ASGI says it
            await stream.send(receive, send)

        cycle = RequestResponseCycle(
            scope=_GET,
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=connection.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=self.keep_alive,
            on_response=connection.on_response_complete,
        )
        cycle.more_body = False
        cycle.message_event.set()
        if connection.cycle is self:  # type: ignore[comparison-overlap]
            connection.cycle = cycle
        connection._start_asgi_task(cycle, answer)  # type: ignore[arg-type]  # noqa: SLF001 - the server's own


def _phrase(status: int) -> bytes:
    try:
        return http.HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
