"""Reads of a disk that do not come from memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

_PAGE: Final = 4096


class Read(Protocol):
    """Reads bytes at a place; OSError where the disk does not give them."""

    def __call__(self, place: int, count: int, /) -> bytes:
        """Return them; both numbers are multiples of 4096."""


@contextmanager
def direct(path: str) -> Generator[tuple[Read, int]]:
    """Yield how to read a block device or a file past the memory, where that can be, and its size."""
    held = _opened(path)
    try:
        size = os.lseek(held, 0, os.SEEK_END)

        def read(place: int, count: int, /) -> bytes:
            with mmap.mmap(-1, max(count, _PAGE)) as buffer:
                with memoryview(buffer) as whole, whole[:count] as wanted:
                    got = os.preadv(held, [wanted], place)
                return buffer[:got]

        yield read, size
    finally:
        os.close(held)


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    except OSError:  # some file systems, such as tmpfs of old, cannot
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
