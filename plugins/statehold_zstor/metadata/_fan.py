from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from statehold_zstor.backends import Backend, BackendError

T = TypeVar("T")

#: For each backend: one that hangs takes threads from no other.
_THREADS: Final = 4


class Fan:
    """Calls several backends at once."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = backends
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
        end: float | None = None
        while running:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
            if not done:
                break
            for future in done:
                number = running.pop(future)
                try:
                    results[number] = future.result()
                except BackendError as error:
                    results[number] = error
            patience = enough(results)
            if patience is not None:
                end = min(end or math.inf, time.monotonic() + patience)
        for future in running:
            future.cancel()
        return results

    def close(self) -> None:
        """Let what runs come to its end."""
        for threads in self._threads:
            threads.shutdown(wait=True, cancel_futures=True)
