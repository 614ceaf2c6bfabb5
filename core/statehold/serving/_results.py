from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from statehold.serving._answers import encode, error_member
from statehold.serving._stream import Stream

_BEGIN: Final = b'{"results":'


class Results:
    """Takes results while a query reads them, and makes them the body of an answer.

    Few results are one body; an error can still be the whole answer then. From the second chunk on they are
    sent while the query goes on: the answer has begun, so that an error becomes its member `error`.
    """

    __slots__ = ("_first", "_loop", "_stream", "begun")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._first: list[dict[str, Any]] | None = None
        self._stream: Stream | None = None
        #: Gets the stream where the answer begins before the query has ended.
        self.begun: asyncio.Future[Any] | None = None

    def __call__(self, chunk: list[dict[str, Any]]) -> None:
        """Take the next results; on the thread of the query."""
        if not chunk:
            return
        if self._stream is not None:
            self._stream.push(b"," + encode(chunk)[1:-1])
        elif self._first is None:
            self._first = chunk
        else:
            self._stream = Stream(self._loop)
            self._loop.call_soon_threadsafe(self._begin, self._stream)
            self._stream.push(_BEGIN + encode(self._first)[:-1] + b"," + encode(chunk)[1:-1])
            self._first = None

    def run(self, read: Callable[[Results], list[dict[str, Any]]]) -> bytes | None:
        """Let *read* give its results, and return the body, or None where it is sent already."""
        try:
            results = read(self)
        except Exception as error:
            if self._stream is None:
                raise
            self._stream.end(b'],"error":' + error_member(error) + b"}")
            return None
        if self._stream is None:
            return _BEGIN + encode(self._first or results) + b"}"
        self._stream.end(b"]}")
        return None

    def leave(self) -> None:
        """Let a query that goes on know that nobody waits for it."""
        if self._stream is not None:
            self._stream.leave()

    def _begin(self, stream: Stream) -> None:
        if self.begun is None or self.begun.done():
            stream.leave()
        else:
            self.begun.set_result(stream)
