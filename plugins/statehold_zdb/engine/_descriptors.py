from __future__ import annotations

import os
import threading
from typing import Final

import attrs

from statehold_zdb.engine._segment import Segment


class File:
    """A descriptor that is closed when nobody uses it any more."""

    __slots__ = ("fd",)

    def __init__(self, path: str, flags: int) -> None:
        self.fd: Final = os.open(path, flags | os.O_CLOEXEC, 0o600)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


@attrs.define(eq=False)
class Descriptors:
    """Keeps few files open at a time: those opened last.

    Who reads holds the `File` while it does, so that forgetting one never closes it under a reader.
    """

    _limit: int = 128
    _open: dict[Segment, File] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def get(self, segment: Segment) -> File:
        """Return the data of *segment*, open for reading; FileNotFoundError if it is not there."""
        with self._lock:
            file = segment.file
            if file is None:
                file = segment.file = self._open[segment] = File(segment.path, os.O_RDONLY)
                while len(self._open) > self._limit:
                    self._close(next(iter(self._open)))
            return file

    def forget(self, segment: Segment) -> None:
        """Let go of what *segment* has open."""
        with self._lock:
            if segment in self._open:
                self._close(segment)

    def forget_deleted(self) -> None:
        """Let go of files that others have deleted, so that the disk gets its space back."""
        with self._lock:
            for segment, file in list(self._open.items()):
                if os.fstat(file.fd).st_nlink == 0:
                    self._close(segment)

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            for segment in list(self._open):
                self._close(segment)

    def _close(self, segment: Segment) -> None:
        del self._open[segment]
        segment.file = None
