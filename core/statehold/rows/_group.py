from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

Work = TypeVar("Work")


class Request(Generic[Work]):
    """A piece of work that waits for the pen, and what became of it."""

    __slots__ = ("error", "finished", "leads", "result", "turn", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.turn = threading.Lock()
        self.turn.acquire()
        self.leads = False
        self.finished = False
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
        except BaseException:  # Ctrl-C: nobody will wait for this request, and nobody must wait for it
            with self._lock:
                if request in self._waiting:
                    self._waiting.remove(request)
                leads = request.leads and not request.finished
            if leads:
                self._hand_on(request, [])
            raise

    def _lead(self, request: Request[Work]) -> None:
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            self._commit(group)
        finally:
            self._hand_on(request, group)

    def _hand_on(self, leader: Request[Work], group: Sequence[Request[Work]]) -> None:
        with self._lock:
            # After Ctrl-C, what the leader has not come to is left to the next.
            self._waiting[:0] = [one for one in group if one is not leader and not one.finished]
            if self._waiting:
                self._waiting[0].leads = True
                group = [*group, self._waiting[0]]
            else:
                self._is_taken = False
                self._put_down.notify_all()
        for one in group:
            if one is not leader and (one.finished or one.leads):
                one.turn.release()
