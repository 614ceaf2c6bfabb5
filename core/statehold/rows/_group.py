from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Self, TypeVar

Work = TypeVar("Work")

#: The most seconds that a group waits for more to come.
_PATIENCE: Final = 0.001


class Request(Generic[Work]):
    """A piece of work that waits for the pen, and what became of it."""

    __slots__ = ("called", "error", "finished", "leads", "left", "next", "result", "turn", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.turn = threading.Lock()
        self.turn.acquire()
        self.finished = self.leads = self.called = self.left = False
        self.next: Self | None = None
        self.result: Any = None
        self.error: Exception | None = None

    def finish(self, result: object) -> None:
        """Say what the work has brought."""
        self.result = result
        self.finished = True

    def fail(self, error: Exception) -> None:
        """Say why the work was not done."""
        self.error = error
        self.finished = True


class GroupCommit(Generic[Work]):
    """One pen for all threads: who finds it free writes, for all who came to wait meanwhile.

    No thread of its own: a single client pays for no switch between threads, and many share one commit.

    Args:
        commit: does the work of a group and finishes or fails each of its requests. If it raises, those it
            has not come to are done by the next who leads.
        closed: makes the error to raise after `close`.

    """

    def __init__(
        self, commit: Callable[[Sequence[Request[Work]]], None], *, closed: Callable[[], Exception]
    ) -> None:
        self._commit = commit
        self._closed = closed
        self._lock = threading.Lock()
        self._put_down = threading.Condition(self._lock)
        self._waiting: list[Request[Work]] = []
        self._expected = 1
        self._took = 0.0
        self._is_taken = False
        self._is_closed = False

    def do(self, work: Work) -> Any:
        """Do *work*, alone or in a group, and return its result or raise its error."""
        request = Request(work)
        with self._lock:
            if self._is_closed:
                raise self._closed()
            self._waiting.append(request)
            if not self._is_taken:
                self._is_taken = request.leads = True
        if not request.leads:
            self._wait(request)
        if not request.finished:
            self._lead(request)
        if request.error is not None:
            raise request.error
        return request.result

    def close(self) -> None:
        """Refuse new work and wait for what is under way; a second time does nothing."""
        with self._lock:
            self._is_closed = True
            while self._is_taken:
                self._put_down.wait()

    def _wait(self, request: Request[Work]) -> None:
        try:
            request.turn.acquire()
        except BaseException:  # Ctrl-C: nobody waits for this request any more, and it calls nobody
            with self._lock:
                request.left = True
                if request in self._waiting:
                    self._waiting.remove(request)
            if request.leads and not request.finished:
                self._hand_on(request, [])
            elif request.called:
                self._call_next(request)
            raise
        self._call_next(request)

    def _lead(self, request: Request[Work]) -> None:
        group: list[Request[Work]] = []
        try:
            self._gather()
            with self._lock:
                group, self._waiting = self._waiting, []
            start = time.perf_counter()
            self._commit(group)
            self._took = time.perf_counter() - start
        finally:
            self._hand_on(request, group)

    def _gather(self) -> None:
        """Let those come who wrote just now: one commit for all is sooner done than two."""
        if len(self._waiting) < self._expected:
            end = time.perf_counter() + min(self._took, _PATIENCE)
            while len(self._waiting) < self._expected and time.perf_counter() < end:
                time.sleep(0)

    def _hand_on(self, leader: Request[Work], group: Sequence[Request[Work]]) -> None:
        with self._lock:
            self._expected = len(group) + len(self._waiting)
            if self._expected == 1 and leader.finished:
                self._is_taken = False
                self._put_down.notify_all()
                return
            # After Ctrl-C, what the leader has not come to is left to the next.
            rest = [one for one in group if not one.finished and one is not leader and not one.left]
            self._waiting[:0] = rest
            called = [one for one in group if one.finished and one is not leader]
            if self._waiting:
                self._waiting[0].leads = True
                called.append(self._waiting[0])
            else:
                self._is_taken = False
                self._put_down.notify_all()
            before = leader
            for one in called:
                before.next = before = one
        self._call_next(leader)

    def _call_next(self, request: Request[Work]) -> None:
        """Wake the next of a group; each wakes one, so that they do not all crowd for the interpreter."""
        with self._lock:
            one = request.next
            while one is not None and (one.left or one.called):
                one = one.next
            if one is not None:
                one.called = True
                one.turn.release()
