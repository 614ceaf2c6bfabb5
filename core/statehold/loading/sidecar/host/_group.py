from __future__ import annotations

import itertools
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import Decode, decoder
from statehold.loading.sidecar._errors import Reason, SidecarError
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.host._breaker import Breaker
from statehold.loading.sidecar.host._health import look_after
from statehold.loading.sidecar.host._lane import Lane, LaneFault
from statehold.loading.sidecar.host._process import Process
from statehold.loading.sidecar.host._supervisor import Supervisor
from statehold.loading.sidecar.host._zygote import Zygote
from statehold.sdk import FreedError, StateholdError, StorageLogger

#: Lanes for calls, and how many more for READs, each of which keeps one until it ends.
_LANES: Final = 8
_READS: Final = 32
_MOMENT: Final = 0.05
#: How long the log waits for how a process ended, seconds.
_PATIENCE: Final = 5.0
#: How much longer than a call it may take to free a storage, seconds: its work has the time of one to end.
_MORE: Final = 0.5
_handles: Final = itertools.count(1)


class _Waiter:
    """Somebody who waits for a lane, or for a change."""

    def __init__(self) -> None:
        self.woken = threading.Event()
        self.lane: Lane | None = None


class Group:
    """The process that serves some partitions of a version, and the one that follows it when it fails.

    Attributes:
        idle: the lanes of the process that runs, which nobody uses.
        objects: makes records of what it sends.
        anything: decodes answers without a schema.

    """

    def __init__(
        self,
        who: str,
        job: Callable[[], Mapping[str, Any]],
        *,
        broker: Callable[[socket.socket], None] | None,
        supervisor: Supervisor,
        zygote: Callable[[], Zygote],
        limits: Limits,
        logger: logging.Logger,
    ) -> None:
        self.who = who
        self.limits = limits
        self.logger = logger
        self.idle: deque[Lane] = deque()
        self.objects = Objects()
        self.anything = decoder(Any, self.objects)
        self._job = job
        self._broker = broker
        self._supervisor = supervisor
        self._zygote = zygote
        self._lock = threading.Lock()
        self._waiters: deque[_Waiter] = deque()
        self._process: Process | None = None
        self._starting = False
        self._closed = False
        self._trouble: StateholdError | None = None
        self._breaker = Breaker(monotonic)
        #: How often a process of it has been started.
        self.starts = 0
        self._specs: dict[int, Mapping[str, Any]] = {}
        self._loggers: dict[int, StorageLogger] = {}

    # -- Calls --------------------------------------------------------------------------------------------

    def ask(  # noqa: PLR0917 - on the way of every call
        self,
        kind: int,
        handle: int,
        schema: int,
        call: Any,
        argument: Any,
        decode: Decode,
        again: bool,  # noqa: FBT001 - on the way of every call
    ) -> Any:
        """Return the answer to a question; with *again*, it is asked once more if the sidecar fails.

        Raises:
            SidecarError: there is none.
            Exception: what the storage raised.

        """
        started = monotonic()
        left = 0.0
        try:
            lane = self.idle.pop()
        except IndexError:
            lane = self.take(started)
            left = started + self.limits.deadline - monotonic()
        try:
            if left:
                answer = lane.exchange_within(left, kind, handle, schema, call, argument, decode)
            else:
                answer = lane.exchange(kind, handle, schema, call, argument, decode, started)
        except LaneFault as fault:
            error = self.give_up(lane, fault, unknown=kind == k.APPLY and not fault.unsent)
            if not (again or fault.unsent):
                raise error from None
            answer = self._once_more(kind, handle, schema, call, argument, decode, started, error)
        except Exception:
            # Nothing was sent: the question itself cannot be.
            self.give_back(lane)
            raise
        except BaseException:
            self.drop(lane)
            raise
        else:
            if lane.process.watched:
                self.give_back(lane)
            else:
                lane.home.append(lane)
                if lane.process.watched:
                    self.released(lane.process)
        if answer.result.__class__ is Failure:
            raise self.revived(answer.result)
        return answer

    def _once_more(  # noqa: PLR0917 - on the way of every call
        self,
        kind: int,
        handle: int,
        schema: int,
        call: Any,
        argument: Any,
        decode: Decode,
        started: float,
        error: SidecarError,
    ) -> Any:
        left = started + self.limits.deadline - monotonic()
        if left <= 0:
            raise error
        try:
            lane = self.take(started)
        except SidecarError:
            raise error from None
        left = started + self.limits.deadline - monotonic()
        try:
            answer = lane.exchange_within(left, kind, handle, schema, call, argument, decode)
        except LaneFault as fault:
            unknown = kind == k.APPLY and not fault.unsent
            raise self.give_up(lane, fault, unknown=unknown) from None
        except BaseException:
            self.drop(lane)
            raise
        self.give_back(lane)
        return answer

    def revived(self, failure: Failure) -> Exception:
        """Return the exception that the storage raised."""
        if failure.trace and self.logger.isEnabledFor(logging.DEBUG):
            self.logger.debug("%s raised:\n%s", self.who, failure.trace)
        return failure.revive(self.who)

    def take(self, started: float, *, long: bool = False) -> Lane:
        """Return a lane of a process that runs, which may be kept *long*; wait for one until the deadline.

        Raises:
            SidecarError: there is none until then, or the sidecar has failed too often.
            FreedError: the plugin has been freed.

        """
        until = started + self.limits.deadline
        while True:
            with self._lock:
                if self._closed:
                    raise FreedError(f"{self.who} has been freed")
                process = self._process
                if process is not None and not process.dead:
                    # First, so that who gives a lane back meanwhile looks for those that wait.
                    process.watched = True
                    with suppress(IndexError):
                        return process.idle.pop()
                    # What READs keep is none of the lanes for calls: slow readers stop nobody else.
                    most = _LANES + (_READS if long else process.reading)
                    if process.many and process.lanes < most:
                        process.lanes += 1
                        break
                elif self._breaker.open:
                    raise self._broken()
                waiter = _Waiter()
                self._waiters.append(waiter)
            waiter.woken.wait(max(0.0, until - monotonic()))
            with self._lock:
                if waiter.lane is not None:
                    return waiter.lane
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            if monotonic() >= until:
                raise self._none(process)
        try:
            return process.add_lane(started)
        except LaneFault as fault:
            process.condemn(fault)
            raise process.error(fault) from None
        except OSError as error:
            with self._lock:
                process.lanes -= 1
            text = f"{self.who}: no further lane can be made: {error.strerror}"
            raise SidecarError(text, reason=Reason.BUSY) from None

    def take_for_read(self, started: float) -> Lane:
        """Return a lane that may be kept for long."""
        try:
            lane = self.idle.pop()
        except IndexError:
            lane = self.take(started, long=True)
        with self._lock:
            lane.reads = True
            lane.process.reading += 1
        return lane

    def take_to_open(self) -> Lane:
        """Return a lane for an OPEN, which may take longer than a call."""
        return self.take(monotonic(), long=True)

    def give_back(self, lane: Lane) -> None:
        """Let others use a lane: first who has waited longest."""
        process = lane.process
        with self._lock:
            self._read_no_more(lane)
            if process.dead:
                lane.close()
            elif self._waiters:
                self._hand(lane)
            else:
                process.watched = False
                lane.home.append(lane)
                if process.dead:
                    process.watched = True
                    process.drop_lanes()

    def _hand(self, lane: Lane) -> None:
        waiter = self._waiters.popleft()
        waiter.lane = lane
        waiter.woken.set()

    def _wake(self) -> None:
        """Let all that wait look at what has changed."""
        for waiter in self._waiters:
            waiter.woken.set()
        self._waiters.clear()

    def drop(self, lane: Lane) -> None:
        """Close a lane that is in the middle of something; the sidecar notices."""
        lane.close()
        if not lane.process.many:
            lane.process.condemn(LaneFault(Reason.CRASHED, "was ended in the middle of a READ"))
        with self._lock:
            self._read_no_more(lane)
            lane.process.lanes -= 1
            self._wake()

    def close_quiet(self, process: Process) -> None:
        """Close the lanes of a process that nobody has used since this was called before, but for one.

        Each costs the host a descriptor, and the sidecar one and a thread.
        """
        with suppress(IndexError):
            # What callers take first, and so is kept.
            process.idle[-1].is_quiet()
        for _ in range(len(process.idle) - 1):
            try:
                lane = process.idle.popleft()
            except IndexError:
                return
            if lane.is_quiet() and process.many:
                self.drop(lane)
            else:
                self.give_back(lane)

    @staticmethod
    def _read_no_more(lane: Lane) -> None:
        if lane.reads:
            lane.reads = False
            lane.process.reading -= 1

    def released(self, process: Process) -> None:
        """Look after a lane that was given back just when somebody began to wait, or the process ended."""
        with self._lock:
            if process.dead:
                process.drop_lanes()
            while self._waiters and not process.dead:
                try:
                    self._hand(process.idle.pop())
                except IndexError:
                    return

    def give_up(self, lane: Lane, fault: LaneFault, *, unknown: bool = False) -> SidecarError:
        """End the process of a lane on which something went wrong, and return the error for the caller."""
        lane.close()
        lane.process.condemn(fault)
        error: SidecarError = lane.process.error(fault, unknown=unknown)
        return error

    def _none(self, process: Process | None) -> SidecarError:
        seconds = f"within {self.limits.deadline:g} s"
        if process is not None and not process.dead:
            text = f"all {process.lanes} lanes of {self.who} were taken, and none became free {seconds}"
            return SidecarError(text, reason=Reason.BUSY)
        return SidecarError(f"{self.who} was not started again {seconds}{self._why()}", reason=Reason.START)

    def _broken(self) -> SidecarError:
        return SidecarError(
            f"{self.who} has failed too often, and is left alone until it can be started again{self._why()}",
            reason=Reason.BROKEN,
            hint="The log tells why",
        )

    def _why(self) -> str:
        return "" if self._trouble is None else f": {self._trouble.message}"

    # -- Starting, and starting again -----------------------------------------------------------------

    def start(self) -> Any:
        """Start the process, if it does not run, and return what its plugin is."""
        with self._lock:
            if self._closed:
                raise FreedError(f"{self.who} has been freed")
        process = self._made()
        described = process.start(self._zygote(), self._job(), self._broker)
        self._use(process)
        return described

    @property
    def pidfd(self) -> int:
        """The descriptor of the process, as long as it runs; -1 if there is none."""
        process = self._process
        return -1 if process is None else process.pidfd

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        process = self._process
        return process is not None and not process.dead

    @property
    def is_broken(self) -> bool:
        """Whether it has failed so often that it is left alone for a while."""
        return self._breaker.open

    def _made(self) -> Process:
        return Process(
            self.who,
            supervisor=self._supervisor,
            limits=self.limits,
            objects=self.objects,
            heard=self._heard,
            died=self._died,
        )

    def _use(self, process: Process) -> None:
        with self._lock:
            is_closed = self._closed
            if not is_closed:
                self._process = process
                self.starts += 1
                self.idle = process.idle
                self._breaker.works()
                self._wake()
        if is_closed:
            process.stop(self.limits.deadline)
            raise FreedError(f"{self.who} has been freed")
        if process.dead:
            # It ended before it was known here, and nobody else starts the next one.
            self._died(process)
        look_after(self, process, self._supervisor)

    def _died(self, process: Process) -> None:
        with self._lock:
            if process is not self._process or self._closed:
                return
            self._plan_start()
        until = monotonic() + _PATIENCE
        self._supervisor.at(monotonic() + _MOMENT, lambda: self._tell(process, until))

    def _tell(self, process: Process, until: float) -> None:
        """Log how a process ended, and what it said, once that is known."""
        if not process.is_over and monotonic() < until:
            self._supervisor.at(monotonic() + _MOMENT, lambda: self._tell(process, until))
            return
        self._trouble = error = process.error(LaneFault(Reason.CRASHED, "ended"), patience=0)
        self._heard(0, logging.WARNING, str(error))

    def _plan_start(self) -> None:
        if self._starting:
            return
        self._starting = True
        wait = self._breaker.failed()
        self._wake()

        def begin() -> None:
            threading.Thread(target=self._start_again, name=f"{self.who} starts", daemon=True).start()

        self._supervisor.at(monotonic() + wait, begin)

    def _start_again(self) -> None:
        process = self._made()
        try:
            if self._closed:
                return
            process.start(self._zygote(), self._job(), self._broker)
            for handle, argument in tuple(self._specs.items()):
                self._open_in(process, handle, argument)
            with self._lock:
                self._starting = False
            self._use(process)
        except FreedError:
            return
        except Exception as error:  # noqa: BLE001 - whatever the plugin raised; tried again later
            process.stop(0)
            self._trouble = error if isinstance(error, StateholdError) else StateholdError(repr(error))
            self.logger.warning("%s cannot be started again: %s", self.who, error)
            with self._lock:
                self._starting = False
                if not self._closed:
                    self._plan_start()

    def _open_in(self, process: Process, handle: int, argument: Mapping[str, Any]) -> None:
        lane = process.add_lane(monotonic()) if process.many else process.idle.pop()
        process.lanes += process.many
        question = (k.OPEN, handle, 0, None, {**argument, "existing": None}, self.anything)
        try:
            answer = lane.exchange_within(self.limits.start, *question)
        except LaneFault as fault:
            raise process.error(fault) from None
        process.idle.append(lane)
        if isinstance(answer.result, Failure):
            raise answer.result.revive(self.who)

    # -- Storages ---------------------------------------------------------------------------------------

    def new_handle(self, logger: StorageLogger) -> int:
        """Return a number for a storage, whose records go to *logger*."""
        handle = next(_handles)
        self._loggers[handle] = logger
        return handle

    def keep(self, handle: int, argument: Mapping[str, Any]) -> None:
        """Open the storage again when the process has to be started again."""
        self._specs[handle] = argument

    def forget(self, handle: int) -> None:
        """Open the storage no more."""
        self._specs.pop(handle, None)
        self._loggers.pop(handle, None)

    def free(self, name: str, handle: int) -> None:
        """Free a storage; where its process has ended, nothing is left to free."""
        logger = self._loggers.get(handle, self.logger)
        # What it says while it is freed may arrive later.
        self._specs.pop(handle, None)
        process = self._process
        if self._closed or process is None or process.dead:
            return
        started, deadline = monotonic(), self.limits.deadline
        lane = self.take(started)
        left = started + deadline + _MORE - monotonic()
        try:
            answer = lane.exchange_within(left, k.FREE, handle, 0, None, deadline, self.anything)
        except LaneFault as fault:
            raise self.give_up(lane, fault) from None
        except BaseException:
            self.drop(lane)
            raise
        self.give_back(lane)
        if isinstance(answer.result, Failure):
            raise self.revived(answer.result)
        for problem in answer.result or ():
            logger.warning("%s: %s", name, problem)

    def _heard(self, handle: int, level: int, text: str) -> None:
        logger = self._loggers.get(handle) or next(iter(tuple(self._loggers.values())), self.logger)
        if logger.isEnabledFor(level):
            logger.log(level, "%s", text)

    def close(self) -> None:
        """End the process, for good."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
            self.idle = deque()
            self._wake()
        if process is not None:
            process.stop(self.limits.deadline)
