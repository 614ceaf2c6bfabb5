from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from statehold.hosting._opened import OpenStorage
from statehold.hosting._trouble import Trouble


def free_storages(
    opened: Sequence[OpenStorage], trouble: Trouble, *, free_timeout: float, pending_timeout: float
) -> tuple[str, ...]:
    """Free storages in the reverse of their opening and return what went wrong, one line for each.

    Each is freed after its background work and its pending hooks have ended. One that raises or hangs
    is reported and left behind; the others are freed all the same.
    """
    left = iter(reversed(opened))
    problems: list[str] = []
    while (run := _Run(left, trouble, pending_timeout)).has_hung(free_timeout):
        problems += run.problems
    return (*problems, *run.problems)


class _Run:
    """Frees one storage after another on a thread of its own, which is left behind where one hangs.

    One thread for all: each change of threads is a turn that calls in flight have to wait for.
    """

    def __init__(self, left: Iterator[OpenStorage], trouble: Trouble, pending_timeout: float) -> None:
        self.problems: list[str] = []
        self._left = left
        self._trouble = trouble
        self._pending_timeout = pending_timeout
        self._lock = threading.Lock()
        self._begun: tuple[str, float] | None = None  # which storage is being freed, and since when
        self._is_left = False
        self._thread = threading.Thread(target=self._run, name="statehold-free storages", daemon=True)
        self._thread.start()

    def has_hung(self, timeout: float) -> bool:
        """Return whether a storage took longer than *timeout* seconds; else all of them have been freed."""
        rest = timeout
        while True:
            self._thread.join(rest)
            if not self._thread.is_alive():
                return False
            with self._lock:
                name, begun = self._begun or ("", time.monotonic())
                rest = begun + timeout - time.monotonic()
                if rest <= 0:
                    self._is_left = True
                    self.problems.append(f"{name}: free() did not return within {timeout:g} s")
                    return True

    def _run(self) -> None:
        for storage in self._left:
            name = f"{storage.name} of {storage.where}"
            self.problems += [f"{name}: {each}" for each in storage.work.finish(self._pending_timeout)]
            with self._lock:
                self._begun = name, time.monotonic()
            problem = self._free(storage, name)
            with self._lock:
                if self._is_left:
                    return
                self._begun = None
                self.problems += problem

    def _free(self, storage: OpenStorage, name: str) -> list[str]:
        try:
            storage.free()
        except BaseException as error:  # noqa: BLE001 - of another thread, where it would be lost
            return [f"{name}: free() raised {self._trouble.line(error)}"]
        return []
