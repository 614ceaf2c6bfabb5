from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

Job = Callable[[], None]

#: Seconds for which a thread waits for another job before it ends.
_IDLE: Final = 5.0


class Workers:
    """Runs jobs on a few threads that come when they are needed, and go when they are not.

    A job that takes longer than *patience* is taken to hang: another thread does the work beside it, so
    that it holds up nobody. The threads are daemons: none keeps the process from ending.

    Args:
        name: what the threads are called, with a number.
        size: how many jobs run at a time, not counting those that hang.
        patience: seconds.
        failed: hears of an exception that a job raised.

    """

    def __init__(
        self, name: str, *, size: int, patience: float = 0.5, failed: Callable[[Exception], None]
    ) -> None:
        self._name = name
        self._size = size
        self._patience = patience
        self._failed = failed
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._threads: set[threading.Thread] = set()
        #: When each thread that is at work began with its job.
        self._began: dict[threading.Thread, float] = {}
        self._idle = 0
        self._made = 0
        self._closed = False

    @property
    def is_pressed(self) -> bool:
        """Whether a job waits for a thread."""
        return bool(self._jobs)

    @property
    def busy(self) -> int:
        """How many jobs are being run."""
        return len(self._began)

    def submit(self, job: Job) -> bool:
        """Run a job soon; False once closed, and then it is not run."""
        with self._changed:
            if self._closed:
                return False
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
            else:
                self._add_thread()
            return True

    def check(self) -> None:
        """Start a thread for jobs that wait while others hang; to be called from time to time."""
        with self._changed:
            if self._jobs and not self._closed:
                self._add_thread()

    def close(self, timeout: float) -> list[str]:
        """Take no more jobs, forget those that wait, and return the names of threads that did not end."""
        end = time.monotonic() + timeout
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        return sorted(thread.name for thread in threads if thread.is_alive())

    def _add_thread(self) -> None:
        now = time.monotonic()
        hanging = sum(now - began > self._patience for began in self._began.values())
        if len(self._threads) - hanging < self._size:
            self._made += 1
            thread = threading.Thread(target=self._run, name=f"{self._name}-{self._made}", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while (job := self._next(me)) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
                self._failed(error)
            del job

    def _next(self, me: threading.Thread) -> Job | None:
        with self._changed:
            self._began.pop(me, None)
            if not self._jobs and not self._closed:
                self._idle += 1
                self._changed.wait_for(lambda: self._jobs or self._closed, _IDLE)
                self._idle -= 1
            if not self._jobs:
                self._threads.discard(me)
                return None
            self._began[me] = time.monotonic()
            return self._jobs.popleft()
