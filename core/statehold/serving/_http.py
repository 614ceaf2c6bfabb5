from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from statehold.sdk import HostError
from statehold.serving._limits import Limits
from statehold.serving._protocol import Connection, Shortcut, protocol

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
#: Seconds that the last answers have to be written.
_LAST_WRITES: Final = 1.0


class HttpServer:
    """Serves an ASGI app at one address, until it is stopped: in this thread, or in one of its own.

    Stopping takes no further connection, lets the requests in flight end within `Limits.drain_seconds`, and
    then closes what is left.

    Args:
        app: what answers.
        address: the address to listen at, such as `127.0.0.1` or `::`.
        port: the port, 0 for any that is free.
        limits: what it takes on.
        behind_proxy: whether a proxy on this machine says by X-Forwarded-For who asks.
        shortcut: answers some requests without the app.
        stopping: called when it is told to stop.

    Raises:
        HostError: nothing can listen there.

    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        address: str,
        port: int,
        limits: Limits,
        behind_proxy: bool = False,
        shortcut: Shortcut | None = None,
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        try:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._socket = socket.create_server((address, port), family=family, backlog=2048)
        except OSError as error:
            raise HostError(
                f"cannot listen at {address} port {port}: {error.strerror}",
                hint="Take another port, or an address of this machine",
            ) from error
        # Where it listens at every address, this is one of them.
        reached = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104
        shown = f"[{reached}]" if ":" in reached else reached
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            http=protocol(limits, shortcut),
            ws="none",
            loop="uvloop",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=behind_proxy,
            timeout_keep_alive=max(1, int(limits.idle_seconds)),
            timeout_graceful_shutdown=max(1, int(limits.drain_seconds)),
        )
        self._uvicorn = _Uvicorn(config)
        self._stopping = stopping
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def run(self, *, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT; *started* is called as soon as requests are answered."""
        self._uvicorn.when_started = started
        self._run(signals=True)

    def stop(self) -> None:
        """Stop, and wait for it if it runs in a thread of its own."""
        self._stopping()
        self._uvicorn.leave()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def start(self) -> None:
        """Serve in a thread of its own, and return as soon as requests are answered."""
        ready = threading.Event()
        self._uvicorn.when_started = ready.set
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="statehold-http", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            raise self._failure

    def _serve(self, ready: threading.Event) -> None:
        try:
            self._run(signals=False)
        except BaseException as error:  # noqa: BLE001 - raised where it was started
            self._failure = error
        finally:
            ready.set()

    def _run(self, *, signals: bool) -> None:
        with asyncio.Runner(loop_factory=self._uvicorn.config.get_loop_factory()) as runner:
            runner.run(self._main(signals=signals))

    async def _main(self, *, signals: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS if signals else ():
            loop.add_signal_handler(number, self._signalled, number)
        await self._uvicorn.serve(sockets=[self._socket])

    def _signalled(self, number: int) -> None:
        self._stopping()
        self._uvicorn.handle_exit(number, None)
        self._uvicorn.leave()


class _Uvicorn(uvicorn.Server):
    """A server that ends by itself after a signal, not by it, and at once; it says when it has started."""

    when_started: Callable[[], None]

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Event | None = None

    def leave(self) -> None:
        """Stop serving; on any thread."""
        self.should_exit = True
        if self._loop is not None and self._leaving is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leaving.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to who runs the server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        self._loop, self._leaving = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self.when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests end for a while, and then end what has not."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            # Cancelled, and with an answer to write that says so.
            await asyncio.wait(self.server_state.tasks, timeout=_LAST_WRITES)
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.end()
        # A transport that is closed writes what it still has first.
        end = asyncio.get_running_loop().time() + _LAST_WRITES
        while self.server_state.connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)

    async def main_loop(self) -> None:
        """Serve; once a second there is something to do, such as a new date for the answers."""
        assert self._leaving is not None  # noqa: S101 - it has started
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), 1.0)
