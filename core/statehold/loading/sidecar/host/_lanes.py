from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Final

from statehold.loading.sidecar._errors import Reason, SidecarError
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar.host._breaker import Breaker
from statehold.loading.sidecar.host._lane import Lane, LaneFault
from statehold.loading.sidecar.host._process import Process
from statehold.sdk import FreedError

#: Lanes for calls, and how many more for READs, each of which keeps one until it ends.
_LANES: Final = 8
_READS: Final = 32


class _Waiter:
    """Somebody who waits for a lane, or for a change."""

    def __init__(self) -> None:
        self.woken = threading.Event()
        self.lane: Lane | None = None


class Lanes:
    """The lanes of the process of a group that runs, and those who wait for one.

    Attributes:
        idle: the lanes that nobody uses.
        process: the process whose they are: the one that runs, or the last one that did.
        closed: whether the plugin has been freed.
        limits: how long callers wait.
        lock: what is held while any of this is changed.

    """

    def __init__(self, who: str, limits: Limits, breaker: Breaker) -> None:
        self.idle: deque[Lane] = deque()
        self.process: Process | None = None
        self.closed = False
        self.lock = threading.Lock()
        self._who = who
        self.limits = limits
        self._breaker = breaker
        self._waiters: deque[_Waiter] = deque()

    # -- Taking -------------------------------------------------------------------------------------------

    def take(self, started: float, *, long: bool = False) -> Lane:
        """Return a lane of a process that runs, which may be kept *long*; wait for one until the deadline.

        Raises:
            SidecarError: there is none until then, or the sidecar has failed too often.
            FreedError: the plugin has been freed.

        """
        until = started + self.limits.deadline
        while True:
            found = self._found(until, long=long)
            if isinstance(found, Lane):
                return found
            try:
                return found.add_lane(started)
            except LaneFault as fault:
                found.condemn(fault)
                if monotonic() >= until:
                    raise found.error(fault) from None
                # Nothing has been asked yet, so that the next process can be.
            except OSError as error:
                with self.lock:
                    found.lanes -= 1
                text = f"{self._who}: no further lane can be made: {error.strerror}"
                raise SidecarError(text, reason=Reason.BUSY) from None

    def take_for_read(self, started: float) -> Lane:
        """Return a lane that may be kept for long."""
        try:
            lane = self.idle.pop()
        except IndexError:
            lane = self.take(started, long=True)
        with self.lock:
            lane.reads = True
            lane.process.reading += 1
        return lane

    def take_to_open(self) -> Lane:
        """Return a lane for an OPEN, which may take longer than a call."""
        return self.take(monotonic(), long=True)

    def check_open(self) -> None:
        """Raise a FreedError if the plugin has been freed; the lock is held."""
        if self.closed:
            raise FreedError(f"{self._who} has been freed")

    def _found(self, until: float, *, long: bool) -> Lane | Process:
        """Return a lane that is there, or else the process that may have a further one; wait for either."""
        while True:
            with self.lock:
                self.check_open()
                process = self.process
                if process is not None and not process.dead:
                    # First, so that who gives a lane back meanwhile looks for those that wait.
                    process.watched = True
                    with suppress(IndexError):
                        return process.idle.pop()
                    # What READs keep is none of the lanes for calls: slow readers stop nobody else.
                    most = _LANES + (_READS if long else process.reading)
                    if process.many and process.lanes < most:
                        process.lanes += 1
                        return process
                elif self._breaker.open:
                    raise self._broken()
                waiter = _Waiter()
                self._waiters.append(waiter)
            waiter.woken.wait(max(0.0, until - monotonic()))
            with self.lock:
                if waiter.lane is not None:
                    return waiter.lane
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            if monotonic() >= until:
                raise self._none(process)

    def _none(self, process: Process | None) -> SidecarError:
        seconds = f"within {self.limits.deadline:g} s"
        if process is not None and not process.dead:
            text = f"all {process.lanes} lanes of {self._who} were taken, and none became free {seconds}"
            return SidecarError(text, reason=Reason.BUSY)
        return SidecarError(f"{self._who} was not started again {seconds}{self._why()}", reason=Reason.START)

    def _broken(self) -> SidecarError:
        return SidecarError(
            f"{self._who} has failed too often, and is left alone until it can be started again{self._why()}",
            reason=Reason.BROKEN,
            hint="The log tells why",
        )

    def _why(self) -> str:
        trouble = self._breaker.trouble
        return "" if trouble is None else f": {trouble.message}"

    # -- Giving back --------------------------------------------------------------------------------------

    def give_back(self, lane: Lane) -> None:
        """Let others use a lane: first who has waited longest."""
        process = lane.process
        with self.lock:
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

    def released(self, process: Process) -> None:
        """Look after a lane that was given back just when somebody began to wait, or the process ended."""
        with self.lock:
            if process.dead:
                process.drop_lanes()
            while self._waiters and not process.dead:
                try:
                    self._hand(process.idle.pop())
                except IndexError:
                    return

    def drop(self, lane: Lane) -> None:
        """Close a lane that is in the middle of something; the sidecar notices."""
        lane.close()
        if not lane.process.many:
            lane.process.condemn(LaneFault(Reason.CRASHED, "was ended in the middle of a READ"))
        with self.lock:
            self._read_no_more(lane)
            lane.process.lanes -= 1
            self.wake()

    @staticmethod
    def give_up(lane: Lane, fault: LaneFault, *, unknown: bool = False) -> SidecarError:
        """End the process of a lane on which something went wrong, and return the error for the caller."""
        lane.close()
        lane.process.condemn(fault)
        error: SidecarError = lane.process.error(fault, unknown=unknown)
        return error

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

    def _hand(self, lane: Lane) -> None:
        waiter = self._waiters.popleft()
        waiter.lane = lane
        waiter.woken.set()

    # -- Whose they are -----------------------------------------------------------------------------------

    def use(self, process: Process) -> None:
        """Let callers have the lanes of *process* from now on; the lock is held."""
        self.process = process
        self.idle = process.idle
        self.wake()

    def wake(self) -> None:
        """Let all that wait look at what has changed; the lock is held."""
        for waiter in self._waiters:
            waiter.woken.set()
        self._waiters.clear()

    def close(self) -> Process | None:
        """Let nobody have a lane any more, and return the process whose they were."""
        with self.lock:
            self.closed = True
            process, self.process = self.process, None
            self.idle = deque()
            self.wake()
        return process
