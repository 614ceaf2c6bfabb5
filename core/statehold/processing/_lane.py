from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from statehold.processing._errors import BusyError, ClosedError

Then = Callable[[Any], None]
Start = Callable[[Callable[[], None]], object]

#: The most seconds that a batch waits for those to come back whom the batch before has answered.
_PATIENCE: Final = 0.001

_QUEUED, _BEGUN, _DONE = range(3)


class Pending:
    """A piece of work of one partition that waits for its turn, and what became of it.

    Attributes:
        work: what is to be done.
        result: what came of it, an exception if it failed.
        state: whether it waits, has begun, or is done.
        is_left: whether nobody waits for it any more.
        is_linked: whether it is going to be woken, and then has to wake the next.
        next: who is to be woken by the one who waits for this.

    """

    __slots__ = ("_then", "_turn", "is_left", "is_linked", "next", "result", "state", "work")

    def __init__(self, work: Any, then: Then | None = None) -> None:
        self.work = work
        self.result: Any = None
        self.state = _QUEUED
        self.is_left = self.is_linked = False
        self.next: Pending | None = None
        self._then = then
        # Who is told by a call does not sleep.
        self._turn = threading.Lock() if then is None else None
        if self._turn is not None:
            self._turn.acquire()

    @property
    def is_done(self) -> bool:
        """Whether it is known what came of it."""
        return self.state == _DONE

    def finish(self, result: Any) -> None:
        """Say what came of it, an exception if it failed; who waits for it goes on when it is woken."""
        self.result = result
        self.state = _DONE
        if self._then is not None:
            self._then(result)

    def wake(self) -> None:
        """Let who waits for it go on."""
        if self._turn is not None:
            self._turn.release()

    def wait(self, timeout: float) -> bool:
        """Return whether it was done within so many seconds."""
        return self._turn is not None and self._turn.acquire(timeout=timeout)

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody sleeps until it is woken."""
        return self._then is None


Run = Callable[[list[Pending], Callable[[Sequence[Pending]], None]], list[Pending]]


class Lane:
    """Does the work of one partition in batches, one after the other, whoever asks for it.

    Who finds the lane free does his own work on his own thread. What is asked for meanwhile is queued, and
    done in batches on a thread of *start*, so that nobody's thread is held by the work of others.

    Args:
        name: the partition, for messages.
        run: does a batch, finishes each of its pieces, gives those whose callers may go on to the function
            that it is called with, and returns those it left for the next batch.
        start: runs something on a thread that may wait.
        most: how many pieces a batch has at most.

    """

    def __init__(self, name: str, run: Run, *, start: Start, most: int) -> None:
        self._name = name
        self._run = run
        self._start = start
        self._most = most
        self._lock = threading.Lock()
        self._free = threading.Condition(self._lock)
        self._queue: deque[Pending] = deque()
        self._is_taken = False
        self._is_closed = False
        self._expected = 1

    def __len__(self) -> int:
        return len(self._queue)

    def do(self, work: Any, *, timeout: float, what: str) -> Any:
        """Do *work* and return what came of it, or raise its error.

        Raises:
            BusyError: it was not done within *timeout* seconds.

        """
        pending = Pending(work)
        with self._lock:
            self._refuse_when_closed()
            mine = not self._is_taken
            self._is_taken = True
            if not mine:
                self._queue.append(pending)
        if mine:
            self._lead(pending)
        else:
            self._wait(pending, timeout, what)
        if isinstance(pending.result, BaseException):
            raise pending.result
        return pending.result

    def submit(self, work: Any, then: Then, *, start: Start | None = None) -> None:
        """Have *work* done on a thread of *start*, and what came of it given to *then*."""
        pending = Pending(work, then)
        with self._lock:
            self._refuse_when_closed()
            self._queue.append(pending)
            mine = not self._is_taken
            self._is_taken = True
        if mine:
            (start or self._start)(self._work)

    def close(self, timeout: float) -> bool:
        """Refuse new work, and return whether all that was asked for is done within *timeout* seconds."""
        with self._lock:
            self._is_closed = True
            return self._free.wait_for(lambda: not self._is_taken, timeout)

    def _lead(self, pending: Pending) -> None:
        try:
            pending.state = _BEGUN
            self._run([pending], self._wake)
        finally:
            with self._lock:
                more = bool(self._queue)
                if not more:
                    self._is_taken = False
                    self._free.notify_all()
            if more:
                self._expected = len(self._queue)
                self._start(self._work)

    def _work(self) -> None:
        """Do what is queued until nothing is."""
        took = 0.0
        while True:
            self._gather(took)
            with self._lock:
                if not self._queue:
                    self._is_taken = False
                    self._free.notify_all()
                    return
                batch = self._take()
            began = time.perf_counter()
            try:
                left = self._run(batch, self._wake)
            except BaseException as error:
                # Nobody may wait for ever, and nobody else would go on with the queue.
                self._fail(batch, error)
                raise
            took = time.perf_counter() - began
            with self._lock:
                for pending in reversed(left):
                    if not pending.is_left:
                        pending.state = _QUEUED
                        self._queue.appendleft(pending)
                # Who was told by a call has come back by now, if he comes back at all.
                self._expected = len(self._queue) + sum(one.is_linked for one in batch)

    def _take(self) -> list[Pending]:
        if len(self._queue) <= self._most:
            batch = list(self._queue)
            self._queue.clear()
        else:
            batch = [self._queue.popleft() for _ in range(self._most)]
        for pending in batch:
            pending.state = _BEGUN
        return batch

    def _gather(self, took: float) -> None:
        """Let those come back whom the last batch has answered: one commit for all is sooner than two."""
        if len(self._queue) < self._expected and took:
            end = time.perf_counter() + min(took, _PATIENCE)
            while len(self._queue) < self._expected and time.perf_counter() < end:
                time.sleep(0)

    def _fail(self, batch: list[Pending], error: BaseException) -> None:
        with self._lock:
            rest = [pending for pending in (*batch, *self._queue) if not pending.is_done]
            self._queue.clear()
            self._is_taken = False
            self._free.notify_all()
        for pending in rest:
            pending.finish(error)
        self._wake(rest)

    def _wake(self, finished: Sequence[Pending]) -> None:
        """Let all who wait for what is finished go on.

        Each wakes the next, so that they do not all crowd for the interpreter.
        """
        first: Pending | None = None
        before: Pending | None = None
        with self._lock:
            for pending in finished:
                if pending.is_waited_for and not pending.is_left:
                    pending.is_linked = True
                    if before is None:
                        first = pending
                    else:
                        before.next = pending
                    before = pending
        if first is not None:
            first.wake()

    def _wait(self, pending: Pending, timeout: float, what: str) -> None:
        in_time = False
        try:
            in_time = pending.wait(timeout)
        finally:
            # Also after Ctrl-C: others may be waiting to be woken from here.
            found = _DONE if in_time else self._leave(pending)
            if pending.next is not None:
                pending.next.wake()
        if found != _DONE:
            raise self._busy(timeout, what, unknown=found == _BEGUN)

    def _leave(self, pending: Pending) -> int:
        """Wait no more; return how far it had come."""
        with self._lock:
            pending.is_left = not pending.is_linked
            if pending.state == _QUEUED:
                self._queue.remove(pending)
            return pending.state

    def _busy(self, timeout: float, what: str, *, unknown: bool) -> BusyError:
        more = "it had begun and may still be carried out" if unknown else "it has not happened"
        hint = "Look whether it has happened before you try again" if unknown else "Try again"
        return BusyError(
            f"{self._name} did not come to the end of {what} within {timeout:g} s: {more}",
            unknown=unknown,
            hint=f"Something before it takes long. {hint}",
        )

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise ClosedError(f"{self._name} takes no more requests: the runtime is being closed")
