from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from statehold.processing import BusyError
from statehold.serving._waits import Wait, Waiting, Waits

#: Calls that a thread must get done in one tick, or else it blocks rather than works.
_BRISK: Final = 4
#: Results that one thread gathers at most before it wakes the loop.
_BATCH: Final = 64

_log = logging.getLogger("statehold.serving")


class _Worker:
    """A thread that sleeps on a lock of its own, which is the cheapest way to wake exactly one."""

    __slots__ = ("asleep", "thread")

    def __init__(self, work: Callable[[_Worker], None], name: str) -> None:
        self.asleep = threading.Lock()
        self.asleep.acquire()
        self.thread = threading.Thread(target=work, args=(self,), name=name, daemon=True)


class Pool:
    """Runs blocking calls for an event loop on a few threads, as many per wake-up as there are.

    A change of threads costs more than most calls. So one thread is woken for all calls that came in
    together, and wakes the loop once when it has done them. Only where calls wait and few get done, because
    they block, another thread joins in, until there are *threads*.

    Args:
        name: what its threads are called.
        threads: how many there may be.
        queue: how many calls may wait.
        time_limit: seconds after which whoever waits for a call gets a `TooSlowError`; the call itself
            goes on until it ends.

    """

    def __init__(self, name: str, *, threads: int, queue: int, time_limit: float) -> None:
        self.name = name
        self.threads = threads
        self.waits = Waits(time_limit=time_limit, on_tick=self._overtake)
        self._most = queue
        self._calls: deque[tuple[Wait | None, Callable[..., Any], tuple[Any, ...]]] = deque()
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._awake = 0
        self._calling = False
        self._finished = 0
        self._seen = 0
        self._closed = False
        # Only for falling asleep and waking up: between the two, a deque and a number are enough.
        self._guard = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many calls no thread has taken up yet."""
        return len(self._calls)

    @property
    def busy(self) -> int:
        """How many threads are at work."""
        return self._awake

    def submit(self, call: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Return a future of `call(*arguments)`, which runs on a thread of the pool; on the loop only.

        Raises:
            BusyError: too many calls wait.

        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.submit_for(future, call, *arguments)
        return future

    def submit_for(self, waiting: Waiting, call: Callable[..., Any], *arguments: Any) -> None:
        """Let *waiting* have the result of `call(*arguments)`, as `submit` does."""
        waits = self.waits
        if self._closed or len(waits) >= self._most:
            self.check()
        wait = waits.open(waiting)
        # First the call, then the look who is awake; a worker does it the other way round.
        self._calls.append((wait, call, arguments))
        if not self._awake and not self._calling:
            # Not at once: a thread that wakes up takes turns with the loop, call by call, where it could have
            # all those that have come in together.
            self._calling = True
            asyncio.get_running_loop().call_soon(self._call)

    def run(self, work: Callable[[], None]) -> None:
        """Run *work*, which may block for long, on a thread of its own while there is one; on any thread."""
        self._calls.append((None, work, ()))
        self._wake(at_most=self.threads)

    def check(self) -> None:
        """Check that one more call may wait.

        Raises:
            BusyError: too many do.

        """
        if self._closed or len(self.waits) >= self._most:
            raise BusyError(
                f"{len(self.waits)} calls wait for an answer, and no more are taken on",
                hint="Send it again in a moment",
            )

    def close(self, timeout: float) -> bool:
        """Let the threads end when nothing waits any more; return whether all did in *timeout* seconds."""
        until = time.monotonic() + timeout
        with self._guard:
            self._closed = True
            while self._idle:
                self._awake += 1
                self._idle.pop().asleep.release()
        for worker in self._workers:
            worker.thread.join(max(0.0, until - time.monotonic()))
        return not any(worker.thread.is_alive() for worker in self._workers)

    def _call(self) -> None:
        self._calling = False
        self._wake(at_most=0)

    def _wake(self, *, at_most: int) -> None:
        """Wake another thread, unless more than *at_most* are awake."""
        with self._guard:
            if self._awake > at_most:
                return
            if self._idle:
                self._awake += 1
                self._idle.pop().asleep.release()
            elif len(self._workers) < self.threads:
                self._awake += 1
                worker = _Worker(self._work, f"{self.name}-{len(self._workers)}")
                self._workers.append(worker)
                worker.thread.start()

    def _work(self, me: _Worker) -> None:
        calls, waits = self._calls, self.waits
        gathered = 0
        while True:
            try:
                wait, call, arguments = calls.popleft()
            except IndexError:
                waits.post()
                gathered = 0
                with self._guard:
                    self._awake -= 1
                    if calls:
                        self._awake += 1
                        continue
                    if self._closed:
                        return
                    self._idle.append(me)
                me.asleep.acquire()
                continue
            if wait is None:
                self._run(call)
            elif not wait.future.done():
                try:
                    wait.result = call(*arguments)
                except StopIteration as error:
                    wait.error = RuntimeError(f"a StopIteration got loose: {error}")  # No future takes one.
                except Exception as error:  # noqa: BLE001 - whoever waits gets it
                    wait.error = error
                except BaseException as error:  # noqa: BLE001 - it would end the event loop
                    wait.error = RuntimeError(f"{type(error).__name__}: {error}")
                waits.put(wait)
            # What the call holds must not live for as long as this thread sleeps.
            del wait, call, arguments
            self._finished += 1
            gathered += 1
            if gathered >= _BATCH:
                waits.post()
                gathered = 0

    def _run(self, work: Callable[..., Any]) -> None:
        try:
            work()
        except BaseException:  # noqa: BLE001 - told, and the thread goes on
            _log.exception("%s: a defect ended what it ran", self.name)

    def _overtake(self) -> None:
        """Wake another thread where calls wait and those that are awake block."""
        finished = self._finished
        if self._calls and finished - self._seen < _BRISK * self._awake:
            self._wake(at_most=self.threads)
        self._seen = finished
