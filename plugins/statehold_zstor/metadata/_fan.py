from __future__ import annotations

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
        enough: Callable[[Mapping[int, T | BackendError]], bool],
        *,
        patience: float = 0.0,
    ) -> dict[int, T | BackendError]:
        """Return what each of *calls* returned, or the error of its backend.

        Args:
            calls: what to do with which backend, by its number.
            enough: whether what there is suffices; the others are left alone then.
            patience: seconds in which others still may answer all the same.

        """
        running: dict[Future[T], int] = {
            self._threads[number].submit(call, self._backends[number]): number
            for number, call in calls.items()
        }
        results: dict[int, T | BackendError] = {}
        end: float | None = None
        while running:
            left = None if end is None else max(0.0, end - time.monotonic())
            done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
            if not done:
                break
            for future in done:
                number = running.pop(future)
                try:
                    results[number] = future.result()
                except BackendError as error:
                    results[number] = error
            if end is None and enough(results):
                if not patience:
                    break
                end = time.monotonic() + patience
        for future in running:
            future.cancel()
        return results

    def close(self) -> None:
        """Let what runs come to its end."""
        for threads in self._threads:
            threads.shutdown(wait=True, cancel_futures=True)
