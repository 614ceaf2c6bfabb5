from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from statehold.serving._answers import encode, send_json
from statehold.serving._errors import stopping
from statehold.serving._limits import Limits

#: Bytes of a body that must come in each period of `Limits.body_seconds`, if not all of it does.
_PER_PERIOD: Final = 1_000_000


@runtime_checkable
class Answering(Protocol):
    """A request that a shortcut answers."""

    def done(self) -> bool:
        """Return whether there is an answer."""

    def set_exception(self, error: BaseException, /) -> None:
        """Answer with an error."""


class Shortcut(Protocol):
    """Answers some requests without ASGI."""

    def take(self, connection: Connection) -> bool:
        """Return whether the request whose head *connection* has just read is answered by this."""


def protocol(limits: Limits, shortcut: Shortcut | None = None) -> type[HttpToolsProtocol]:
    """Return the protocol of a server's connections: uvicorn's, and the limits that it lacks."""
    return type("Protocol", (Connection,), {"limits": limits, "shortcut": shortcut})


class Connection(HttpToolsProtocol):
    """Ends connections whose head or body is too slow, or whose head is too long.

    A timer runs only while part of a request is there: most come in one piece.
    """

    limits: ClassVar[Limits]
    shortcut: ClassVar[Shortcut | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._partial: asyncio.TimerHandle | None = None
        self._began = False
        self._in_head = True
        self._head = 0
        self._body = 0
        self._resting: asyncio.TimerHandle | None = None
        self._rested = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self.app = _full
        self._partial = self.loop.call_later(self.limits.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._resting is not None:
            self._resting.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # To nothing that is served here: the request is answered as any other.
        except httptools.HttpParserError:
            self._refuse(400, "the request is no HTTP/1.1")
        if self._in_head and self._head > self.limits.head and not self.transport.is_closing():
            self._refuse(431, f"the head of the request is longer than {self.limits.head:,} bytes")
        elif self._began and self._partial is None and not self.transport.is_closing():
            self._arm()

    def on_message_begin(self) -> None:
        self._began = self._in_head = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head = self._body = 0
        self._disarm()
        cycle: Any = self.cycle  # None before the first request, whatever its type says.
        idle = cycle is None or cycle.response_complete
        if self.shortcut is not None and idle and self.shortcut.take(self):
            return
        # Only for ASGI a scope is made, with what has been read in it.
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._began = False
        self._in_head = True
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        # One timer for all the rests of a connection: most are short.
        self._rested = self.loop.time()
        if self._resting is None:
            self._resting = self.loop.call_later(self.limits.idle_seconds, self._rest)

    def end(self) -> None:
        """Close the connection, and tell whoever still waits on it that the server stops."""
        cycle: Any = self.cycle
        if isinstance(cycle, Answering) and not cycle.done():
            cycle.set_exception(stopping())
        self.transport.close()

    def _rest(self) -> None:
        self._resting = None
        cycle: Any = self.cycle
        left = self._rested + self.limits.idle_seconds - self.loop.time()
        if left > 0 or self._began or not (cycle is None or cycle.response_complete):
            self._resting = self.loop.call_later(max(left, 1.0), self._rest)
        else:
            self.transport.close()

    def _arm(self) -> None:
        seconds = self.limits.head_seconds if self._in_head else self.limits.body_seconds
        self._partial = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._partial is not None:
            self._partial.cancel()
            self._partial = None

    def _too_slow(self) -> None:
        self._partial = None
        if not self._began:
            self.transport.close()
        elif self._in_head:
            self._refuse(408, f"the head was not sent within {self.limits.head_seconds:g} s")
        elif self._body >= _PER_PERIOD:
            self._body = 0
            self._arm()
        else:
            self._refuse(
                408, f"{self._body:,} bytes of the body were sent within {self.limits.body_seconds:g} s"
            )

    def _refuse(self, status: int, message: str) -> None:
        """Answer and close, unless another answer is being written."""
        cycle: Any = self.cycle  # As above.
        idle = cycle is None or cycle.response_complete or not cycle.response_started
        if idle and not self.transport.is_closing():
            body = encode({"message": message, "status": status})
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        self.transport.close()


async def _full(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - as ASGI says it
    body = encode({"message": "the server has as many connections as it takes", "status": 503})
    await send_json(send, body, status=503, headers={"Retry-After": "1", "Connection": "close"})
