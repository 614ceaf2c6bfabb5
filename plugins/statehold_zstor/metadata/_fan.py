from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from statehold_zstor.backends import Backend, BackendError, BackendUnreachableError

T = TypeVar("T")

#: For each backend: one that hangs takes threads from no other.
_THREADS: Final = 4
#: More than any backend takes, but a folder whose disk hangs.
_LONGEST: Final = 120.0


class Fan:
    """Calls several backends at once.

    Args:
        backends: them.
        longest: the seconds after which one that has not ended its call by itself is taken for unreachable.

    """

    def __init__(self, backends: Sequence[Backend], *, longest: float = _LONGEST) -> None:
        self._backends = backends
        self._longest = longest
        self._threads = [
            ThreadPoolExecutor(_THREADS, thread_name_prefix=f"zstor metadata {backend.name}")
            for backend in backends
        ]

    def call(
        self,
        calls: Mapping[int, Callable[[Backend], T]],
        enough: Callable[[Mapping[int, T | BackendError]], float | None] = lambda _: None,
    ) -> dict[int, T | BackendError]:
        """Return what each of *calls* returned, or the error of its backend.

        Args:
            calls: what to do with which backend, by its number.
            enough: the seconds in which others still may answer, once what there is suffices; None while
                it does not.

        """
        running: dict[Future[T], int] = {
            self._threads[number].submit(call, self._backends[number]): number
            for number, call in calls.items()
        }
        results: dict[int, T | BackendError] = {}
        last = time.monotonic() + self._longest
        end = math.inf
        while running and (left := min(end, last) - time.monotonic()) > 0:
            done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
            for future in done:
                number = running.pop(future)
                try:
                    results[number] = future.result()
                except BackendError as error:
                    results[number] = error
            patience = enough(results)
            if patience is not None:
                end = min(end, time.monotonic() + patience)
        for future, number in running.items():
            future.cancel()
            if end == math.inf:
                name = self._backends[number].name
                results[number] = BackendUnreachableError(f"{name} does not answer", backend=name)
        return results

    def close(self) -> None:
        """Let what runs come to its end."""
        for threads in self._threads:
            threads.shutdown(wait=True, cancel_futures=True)
