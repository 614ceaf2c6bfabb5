"""Who calls the backends: for each of them a few threads of its own."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import attrs

from statehold_zstor.backends import (
    Backend,
    BackendError,
    BackendFullError,
    BackendRefusedError,
    BackendUnreachableError,
    Health,
)
from statehold_zstor.config import BackendConfig

T = TypeVar("T")

_THREADS: Final = 4
_SMOOTHING: Final = 0.2
_FIRST_REST, _LONGEST_REST = 0.5, 60.0
#: How many times as long as its calls may take one waits for a backend to say how it is: a disk may hang.
_HANGS: Final = 3.0
#: What calls that took at most so many seconds are counted under.
BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, float("inf"))


@attrs.define(eq=False)
class Lane:
    """The way to one backend: one that is slow or hangs takes threads from no other.

    Attributes:
        config: where the backend is.
        backend: it.
        seconds: how long it took lately to answer; 0 where nobody knows.
        errors: how many calls failed because of the backend.
        down_since: since when no call has succeeded, by `time.monotonic`; None where the last one did.
        problem: what the last of them said that failed.
        calls: how many calls were answered, by the bucket of their seconds, and
        waited: how long they took together.

    """

    config: BackendConfig
    backend: Backend
    seconds: float = 0.0
    errors: int = 0
    down_since: float | None = None
    problem: str = ""
    calls: list[int] = attrs.field(factory=lambda: [0] * len(BUCKETS))
    waited: float = 0.0
    _failures: int = 0
    _rests_until: float = 0.0
    _full: bool = False
    _health: Health | None = None
    _asked: float = 0.0
    _asking: bool = False
    _looking: Future[Health] | None = None
    _since: float = 0.0
    _threads: ThreadPoolExecutor = attrs.field(init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    @_threads.default
    def _no_threads_yet(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="zstor-backend")

    @property
    def name(self) -> str:
        """The backend's name."""
        return self.config.url

    @property
    def resting(self) -> bool:
        """Whether it failed so lately that others are asked first."""
        return self._failures > 0 and time.monotonic() < self._rests_until

    @property
    def known(self) -> Health | None:
        """What the backend said when it was last asked how it is."""
        return self._health

    @property
    def trouble(self) -> str:
        """What is wrong with it; empty where nothing is known to be."""
        known = self._health
        return self.problem or (known.problem if known is not None and known.reachable else "")

    @property
    def down_for(self) -> float:
        """For how many seconds it has not been reached; 0 where it is."""
        since = self.down_since
        return 0.0 if since is None else time.monotonic() - since

    def submit(self, call: Callable[[Backend], T]) -> Future[T]:
        """Run *call* on a thread of this lane."""
        return self._threads.submit(self.run, call)

    def run(self, call: Callable[[Backend], T]) -> T:
        """Run *call*, and note how it went."""
        start = time.monotonic()
        try:
            result = call(self.backend)
        except (BackendUnreachableError, BackendRefusedError) as error:
            self._failed(error.message)
            raise
        except BackendError as error:
            self._full = self._full or isinstance(error, BackendFullError)
            self._answered(time.monotonic() - start)
            raise
        self._answered(time.monotonic() - start)
        return result

    def health(self, *, age: float = 0.0) -> Health:
        """Ask the backend how it is, unless it was asked within the last *age* seconds."""
        if (known := self._fresh(age)) is not None:
            return known
        start = time.monotonic()
        health = self.backend.health()
        self._health, self._asked = health, time.monotonic()
        if not health.reachable:
            self._failed(health.problem)
        else:
            self._answered(time.monotonic() - start)
            self._full = False
        return health

    def free(self, *, age: float) -> tuple[bool, int | None]:
        """Return whether it can be written to, and how many bytes still fit, if anybody knows."""
        return self._room(self.health(age=age))

    def ask(self, *, age: float, patient: bool) -> Future[tuple[bool, int | None]] | None:
        """Begin to ask `free`; None where it failed lately, unless one is *patient*."""
        if self._failures == 0 and (known := self._fresh(age)) is not None:
            # Nobody waits for threads that wait for a slow backend.
            told: Future[tuple[bool, int | None]] = Future()
            told.set_result(self._room(known))
            return told
        if self._failures == 0 or patient:
            return self._threads.submit(self.free, age=age)
        if not self.resting and not self._asking:
            self._asking = True
            self._threads.submit(self._look)
        return None

    def told(self, asked: Future[tuple[bool, int | None]], *, since: float) -> tuple[bool, int | None]:
        """Wait for what `ask` has begun at *since*, as long as for `look`."""
        try:
            return asked.result(max(0.0, since + _HANGS * self.config.timeout - time.monotonic()))
        except TimeoutError:
            self._hangs()
            return False, None

    def look(self) -> Callable[[], Health]:
        """Begin to ask how it is, and return what waits for the answer: not for ever, as some disks hang."""
        with self._lock:
            # Who still waits for an answer asks no second time.
            if self._looking is None or self._looking.done():
                self._looking, self._since = self._threads.submit(self.health), time.monotonic()
            looking, until = self._looking, self._since + _HANGS * self.config.timeout
        return partial(self._seen, looking, until)

    def close(self) -> None:
        """Let what runs come to its end, and give threads and backend back."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.backend.close()

    def _fresh(self, age: float) -> Health | None:
        health = self._health
        if health is None or not health.reachable or time.monotonic() - self._asked >= age:
            return None
        return health

    def _room(self, health: Health) -> tuple[bool, int | None]:
        room = not self._full and (health.free is None or health.free > 0)
        return room and health.reachable and not health.problem, health.free

    def _seen(self, looking: Future[Health], until: float) -> Health:
        try:
            return looking.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            return Health(reachable=False, problem=self._hangs())

    def _hangs(self) -> str:
        problem = f"{self.name}: it has not answered for {_HANGS * self.config.timeout:g} s"
        self._failed(problem)
        return problem

    def _look(self) -> None:
        try:
            self.health()
        finally:
            self._asking = False

    def _answered(self, seconds: float) -> None:
        with self._lock:
            self._failures = 0
            self.down_since = None
            self.problem = ""
            self.calls[bisect_left(BUCKETS, seconds)] += 1
            self.waited += seconds
            self.seconds += (seconds - self.seconds) * (_SMOOTHING if self.seconds else 1.0)

    def _failed(self, problem: str) -> None:
        now = time.monotonic()
        with self._lock:
            self.errors += 1
            self._failures += 1
            self.problem = problem
            self.down_since = now if self.down_since is None else self.down_since
            self._rests_until = now + min(_FIRST_REST * 2 ** min(self._failures - 1, 10), _LONGEST_REST)
