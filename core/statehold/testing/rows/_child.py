"""The process that the kit kills: until then it holds the store, writes, and says what was acknowledged."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable

from statehold.rows import Change, CompareAndSwap, Put, PutIfAbsent, RowDriver, RowStore, StoreHeldError
from statehold.testing.rows._case import NAME

THREADS = 4
PATIENCE = 10.0


def write_for_ever(store: RowStore, thread: int) -> None:
    """Write event, record and count of number after number, each three in one batch."""
    number = int(store.get(("count", thread)) or b"0")
    while True:
        count = b"%d" % (number + 1)
        last = (
            CompareAndSwap(("count", thread), (), b"%d" % number, count)
            if number
            else PutIfAbsent(("count", thread), (), count)
        )
        batch: list[Change] = [
            Put(("event", thread), (number,), b"e" * 200),
            PutIfAbsent(("record", thread), (number,), count),
            last,
        ]
        if not store.write(batch):
            raise AssertionError(f"thread {thread} was refused at {number}")
        number += 1
        # One write, so that the kill leaves no half line.
        os.write(sys.stdout.fileno(), b"%d %d\n" % (thread, number))


def _hold(store: RowStore) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            store.hold()
        except StoreHeldError:
            # By the process that was killed before this one: a server may not have heard of it.
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def main() -> None:
    """Write with the driver whose factory comes pickled by standard input."""
    factory: Callable[[], RowDriver] = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the kit
    with factory() as driver, driver.open(NAME) as store:
        _hold(store)
        threads = [threading.Thread(target=write_for_ever, args=(store, n)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
