from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

T = TypeVar("T")
U = TypeVar("U")

#: What is worked on at once, in bytes, and in blocks.
_AHEAD_BYTES, _AHEAD_BLOCKS = 16 * 1024 * 1024, 4
_NAME: Final = "zstor-blocks"


def ahead(items: Iterable[T], work: Callable[[T], U], *, size: int, single: bool = False) -> Generator[U]:
    """Yield what *work* makes of each item, in order; some are worked on at once, on threads of this call.

    When it ends, however it does, nothing runs any more. Each call has threads of its own, so that one that
    waits for a slow backend holds up no other.

    Args:
        items: what is worked on, such as blocks.
        work: the work.
        size: the bytes of a block.
        single: whether there is one item only, which needs no other thread.

    """
    if single:
        yield from map(work, items)
        return
    depth = max(1, min(_AHEAD_BLOCKS, _AHEAD_BYTES // size))
    running: deque[Future[U]] = deque()
    with ThreadPoolExecutor(depth, thread_name_prefix=_NAME) as threads:
        try:
            for item in items:
                if len(running) >= depth:
                    yield running.popleft().result()
                running.append(threads.submit(work, item))
            while running:
                yield running.popleft().result()
        finally:
            wait([future for future in running if not future.cancel()])
