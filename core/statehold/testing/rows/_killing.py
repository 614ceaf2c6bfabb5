from __future__ import annotations

import contextlib
import os
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from statehold.rows import RowDriver, RowStore, StoreHeldError
from statehold.testing.rows._case import NAME, Case
from statehold.testing.rows._child import THREADS


class Killing(Case):
    """A process that is killed loses nothing that was acknowledged, and leaves nothing half."""

    def test_d1_killed(self, factory: Callable[..., RowDriver]) -> None:
        """After kill -9 at random points all acknowledged batches are there, each as a whole."""
        if not self.durable:
            pytest.skip("the driver is not durable")
        with factory() as driver:
            driver.create(NAME).close()
        moments = random.Random(1)  # noqa: S311 - no secret
        acknowledged = [0] * THREADS
        for _ in range(self.kills):
            for thread, number in _killed(factory, after=moments.randrange(150)):
                acknowledged[thread] = max(acknowledged[thread], number)
            with factory() as driver, driver.open(NAME) as store:
                for thread in range(THREADS):
                    assert _count(store, thread) >= acknowledged[thread]

    def test_d2_killed_holder(self, factory: Callable[..., RowDriver]) -> None:
        """What a process held is free when it has been killed, and not before."""
        if not self.durable:
            pytest.skip("the driver is not durable")
        with factory() as driver, driver.create(NAME) as store:
            with _child(factory) as process:
                assert process.stdout is not None
                process.stdout.readline()
                with pytest.raises(StoreHeldError):
                    store.hold()
                process.kill()
            # A server may hear of it a moment later.
            end = time.monotonic() + self.patience
            while not _holds(store):
                assert time.monotonic() < end, "the dead process still holds the store"
                time.sleep(0.01)


def _holds(store: RowStore) -> bool:
    try:
        store.hold()
    except StoreHeldError:
        return False
    return True


def _killed(factory: Callable[..., RowDriver], *, after: int) -> list[tuple[int, int]]:
    """Return what a process has acknowledged that was killed after so many batches."""
    with _child(factory) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    assert process.returncode == -9, f"the process ended by itself with {process.returncode}"
    numbers = [line.split() for line in lines]
    return [(int(thread), int(number)) for thread, number in numbers]


@contextlib.contextmanager
def _child(factory: Callable[..., RowDriver]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that holds the store and writes to it, for the block to kill."""
    command = [sys.executable, "-m", "statehold.testing.rows._child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(factory))
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


def _count(store: RowStore, thread: int) -> int:
    """Return how many batches a thread has written, of which none is half."""
    count = int(store.get(("count", thread)) or b"0")
    for kind in ("event", "record"):
        numbers = [row.clustering[0] for row in store.read((kind, thread))]
        assert numbers == list(range(count)), f"{kind} of thread {thread}: {count=}, {os.linesep}{numbers}"
    return count
