from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from statehold.serving._answers import encode, error_member
from statehold.serving._stream import Stream
from statehold.serving._waits import Waiting

_BEGIN: Final = b'{"results":['
#: As much is gathered before an answer begins, or as long.
_SIZE: Final = 100_000
_SECONDS: Final = 0.05


class Results:
    """Takes results while a query reads them, and makes them the body of an answer.

    What comes soon and is not much is one body, and an error can still be the whole answer then. All else is
    sent while the query goes on: the answer has begun, so that an error becomes its member `error`.
    """

    __slots__ = ("_begin_at", "_gathered", "_loop", "_size", "_stream", "begun")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0
        self._begin_at = 0.0
        self._stream: Stream | None = None
        #: Gets the stream where the answer begins before the query has ended.
        self.begun: Waiting | None = None

    def __call__(self, chunk: list[dict[str, Any]]) -> None:
        """Take the next results; on the thread of the query."""
        if not chunk:
            return
        piece = encode(chunk)[1:-1]
        if self._stream is not None:
            self._stream.push(b"," + piece)
            return
        now = time.monotonic()
        if not self._gathered:
            self._begin_at = now + _SECONDS
        self._gathered.append(piece)
        self._size += len(piece)
        if self._size > _SIZE or now > self._begin_at:
            self._stream = Stream(self._loop)
            self._loop.call_soon_threadsafe(self._begin, self._stream)
            self._stream.push(_BEGIN + b",".join(self._gathered))
            self._gathered.clear()

    def run(self, read: Callable[[Results], list[dict[str, Any]]]) -> bytes | Stream:
        """Let *read* give its results, and return the body, or the stream of it where that has begun.

        Whoever waits may hear of the end before he hears of the beginning, and then the stream is his answer.
        """
        try:
            results = read(self)
        except Exception as error:
            if self._stream is None:
                raise
            self._stream.end(b'],"error":' + error_member(error) + b"}")
            return self._stream
        if self._stream is not None:
            self._stream.end(b"]}")
            return self._stream
        if results:
            return b'{"results":' + encode(results) + b"}"
        return _BEGIN + b",".join(self._gathered) + b"]}"

    def leave(self) -> None:
        """Let a query that goes on know that nobody waits for it."""
        if self._stream is not None:
            self._stream.leave()

    def _begin(self, stream: Stream) -> None:
        if self.begun is not None and not self.begun.done():
            self.begun.set_result(stream)
        elif not stream.ended:
            stream.leave()
