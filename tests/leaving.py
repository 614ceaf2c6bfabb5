"""What a test leaves behind in its process, whatever the threads of other tests do there meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def nothing_left(*, seconds: float = 30) -> Iterator[None]:
    """Fail unless every thread, file and socket that was begun in the block has ended *seconds* after it."""
    before = _open()
    yield
    end = time.monotonic() + seconds
    while left := _open() - before:
        assert time.monotonic() < end, f"left behind: {', '.join(map(str, left.elements()))}"
        time.sleep(0.01)


def open_files() -> Counter[str]:
    """Return what the open descriptors of this process lead to."""
    found: Counter[str] = Counter()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself, or closed meanwhile
            found[str(descriptor.readlink())] += 1
    return found


def _open() -> Counter[object]:
    return Counter(threading.enumerate()) + open_files()
