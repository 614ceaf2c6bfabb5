from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedLongEnough

import attrs


@attrs.define(eq=False)
class Fetching:
    """Asks for segments that are missing: each once at a time, however many wait for it.

    Attributes:
        fetch: brings the segment of a number, and says whether it is there.

    """

    fetch: Callable[[int], bool]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _under_way: dict[int, Future[bool]] = attrs.field(factory=dict, init=False)

    def start(self, segment: int) -> Future[bool]:
        """Return what becomes of asking for *segment*, which may be under way."""
        with self._lock:
            found = self._under_way.get(segment)
            if found is None:
                found = Future()
                threading.Thread(
                    target=self._run, args=(segment, found), name=f"zdb-missing-{segment}", daemon=True
                ).start()
                self._under_way[segment] = found
            return found

    def wait(self, segment: int, limit: float) -> bool:
        """Whether *segment* came within *limit* seconds."""
        try:
            return self.start(segment).result(limit)
        except WaitedLongEnough:
            return False

    def _run(self, segment: int, future: Future[bool]) -> None:
        came = False
        try:
            came = self.fetch(segment)
        finally:
            with self._lock:
                del self._under_way[segment]
            future.set_result(came)
