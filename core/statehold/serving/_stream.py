from __future__ import annotations

import asyncio
import threading
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from statehold.serving._bodies import ClientGoneError

_HIGH: Final = 1_000_000
_PATIENCE: Final = 30.0
_JSON: Final = ((b"content-type", b"application/json"),)


class Stream:
    """Hands pieces of a body from a thread to an event loop, which sends them.

    The thread waits while more than a megabyte is on its way; it ends with a `ClientGoneError` where the
    client has gone, or has taken nothing for half a minute.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self._gone = False
        self._room = threading.Condition()
        self._news = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended

    def push(self, piece: bytes) -> None:
        """Send *piece*, and wait while too much is on its way; on the thread.

        Raises:
            ClientGoneError: nobody takes it.

        """
        with self._room:
            if not self._room.wait_for(lambda: self._gone or self._size <= _HIGH, _PATIENCE):
                self._gone = True
            if self._gone:
                raise ClientGoneError
            self._pieces.append(piece)
            self._size += len(piece)
        self._tell()

    def end(self, piece: bytes) -> None:
        """Send *piece* as the last one, without waiting; on the thread."""
        with self._room:
            self._pieces.append(piece)
            self._ended = True
        self._tell()

    def leave(self) -> None:
        """Take nothing more."""
        with self._room:
            self._gone = True
            self._room.notify_all()
        self._news.set()

    async def send(
        self, receive: Receive, send: Send, *, headers: tuple[tuple[bytes, bytes], ...] = _JSON
    ) -> None:
        """Answer 200 with what comes, as fast as the client takes it, until the end."""
        watch = asyncio.ensure_future(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            while piece := await self._next():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if self._ended:
                await send({"type": "http.response.body", "body": b""})
        finally:
            watch.cancel()
            self.leave()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.leave()

    async def _next(self) -> bytes:
        while True:
            self._news.clear()
            with self._room:
                if self._gone:
                    return b""
                if self._pieces:
                    found = b"".join(self._pieces)
                    self._pieces.clear()
                    self._size = 0
                    self._room.notify_all()
                    return found
                if self._ended:
                    return b""
            await self._news.wait()

    def _tell(self) -> None:
        self._loop.call_soon_threadsafe(self._news.set)


class StreamResponse(Response):
    """An answer that is sent while it comes."""

    def __init__(self, stream: Stream, headers: tuple[tuple[bytes, bytes], ...] = _JSON) -> None:
        self._stream = stream
        self._head = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI says it
        """Answer."""
        await self._stream.send(receive, send, headers=self._head)
