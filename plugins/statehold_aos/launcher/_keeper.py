from __future__ import annotations

import os
import selectors
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

import attrs

from statehold.sdk import Clock, StateholdError, StorageLogger
from statehold_aos.launcher._journal import ServiceId
from statehold_aos.launcher._log import ServiceLog
from statehold_aos.launcher._processes import Ended, Event, Runner, Spec, Started
from statehold_aos.launcher._unit import Phase, Unit, Wanted

#: Seconds: what a program may take to be started, and to be gone when it is killed.
_START: Final = 60.0
_KILL: Final = 10.0
_LONGEST_PAUSE: Final = 60.0
_IDLE: Final = 60.0
#: Phases in which a service stays by itself; those after it need not wait.
_SETTLED: Final = frozenset(
    {Phase.RUNNING, Phase.HELD, Phase.RESTARTING, Phase.FAILED, Phase.ENDED, Phase.STOPPING}
)


class Listener(Protocol):
    """Who knows why services are to be at work."""

    def starting(self, wanted: Wanted, ready: Callable[[], None]) -> Spec | None:
        """Prepare a start and return how; None: it is held, until *ready* is called."""

    def started(self, wanted: Wanted) -> None:
        """Hear that a process is there."""

    def healthy(self, wanted: Wanted) -> None:
        """Hear that it has been there for a while."""

    def stopped(self, wanted: Wanted) -> None:
        """Hear that there is no process any more."""

    def failed(self, wanted: Wanted, why: str) -> bool:
        """Hear that it has failed; True: something else is wanted now."""

    def gave_up(self, wanted: Wanted, why: str) -> None:
        """Hear that it is not started any more."""


@attrs.define(eq=False)
class Keeper:
    """Keeps those services at work that are wanted: starts, stops, watches and restarts their processes.

    One thread calls `wait`, and `turn` under a lock that who changes `wanted` has, too. Services of higher
    priority numbers start when all lower ones are up, and end before these.

    Attributes:
        wanted: what is to be at work.
        units: what is, or is about to be.

    """

    runner: Runner
    listener: Listener
    clock: Clock
    logger: StorageLogger
    health: float
    log_of: Callable[[ServiceId], ServiceLog]
    wanted: Mapping[ServiceId, Wanted] = attrs.field(factory=dict, init=False)
    units: dict[ServiceId, Unit] = attrs.field(factory=dict, init=False)
    _selector: selectors.BaseSelector = attrs.field(factory=selectors.DefaultSelector, init=False)
    _wake: int = attrs.field(init=False)
    _waking: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _ready: deque[Unit] = attrs.field(factory=deque, init=False)
    _seen: list[tuple[Unit, str]] = attrs.field(factory=list, init=False)
    _number: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Have something that ends waiting."""
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._selector.register(self._wake, selectors.EVENT_READ)

    @property
    def is_idle(self) -> bool:
        """Whether no process is left."""
        return all(unit.process is None for unit in self.units.values())

    def wake(self) -> None:
        """Let who waits look."""
        with self._waking:  # after the end, the number may be that of somebody else's file
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def wait(self, seconds: float) -> None:
        """Wait until something happens."""
        self._seen = [key.data for key, _ in self._selector.select(max(seconds, 0.0)) if key.data]
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def turn(self) -> float:
        """Do what is due, and return after how many seconds there will be more, if nothing else happens."""
        for unit, what in self._seen:
            if unit.process is None:
                continue
            if what == "output":
                if not unit.log.read(unit.process.output):
                    self._selector.unregister(unit.process.output)
            else:
                self._take(unit, unit.process.events())
        self._seen = []
        while self._ready:
            unit = self._ready.popleft()
            if unit.phase is Phase.HELD:
                self._set(unit, Phase.WAITING)
        for unit in list(self.units.values()):
            if unit.due is not None and unit.due <= self.clock.monotonic():
                unit.due = None
                self._due(unit)
        if not self._stop_those_not_wanted():
            self._start_those_wanted()
        due = [unit.due for unit in self.units.values() if unit.due is not None]
        return min(due) - self.clock.monotonic() if due else _IDLE

    def hurry(self) -> None:
        """End everything now that is to end."""
        for unit in self.units.values():
            self._set(unit, Phase.STOPPING)
            self._kill(unit)

    def close(self) -> None:
        """Give everything back; what is still at work is killed."""
        for unit in list(self.units.values()):
            if unit.process is not None:
                self._over(unit, Ended(-signal.SIGKILL))
            unit.log.close()
        self.units.clear()
        self._selector.close()
        with self._waking:
            wake, self._wake = self._wake, -1
        os.close(wake)
        self.runner.close()

    # -- What is to be -------------------------------------------------------------------------------------

    def _stop_those_not_wanted(self) -> bool:
        """Stop what is not wanted, the last started first, and say whether something is still to end."""
        for unit in list(self.units.values()):
            if unit.process is None and self.wanted.get(unit.wanted.id) != unit.wanted:
                self._drop(unit)
        going = [unit for unit in self.units.values() if self.wanted.get(unit.wanted.id) != unit.wanted]
        if going:
            last = max(unit.wanted.config.priority for unit in going)
            for unit in sorted(going, key=lambda unit: -unit.number):
                if unit.wanted.config.priority == last and unit.phase is not Phase.STOPPING:
                    self._stop(unit)
        return bool(going)

    def _start_those_wanted(self) -> None:
        for wanted in self.wanted.values():
            if wanted.id not in self.units:
                unit = Unit(wanted=wanted, log=self.log_of(wanted.id))
                self.units[wanted.id] = unit
                self._set(unit, Phase.WAITING)
        for priority in sorted({one.config.priority for one in self.wanted.values()}):
            group = [one for one in self.units.values() if one.wanted.config.priority == priority]
            for unit in sorted(group, key=lambda unit: unit.wanted.id):
                if unit.phase is Phase.WAITING:
                    self._start(unit)
            if any(unit.phase not in _SETTLED for unit in group):
                return

    def _start(self, unit: Unit) -> None:
        try:
            spec = self.listener.starting(unit.wanted, partial(self._released, unit))
            if spec is None:
                unit.message = "its state is not the right one, and the cloud is asked for that"
                self._set(unit, Phase.HELD)
                return
            unit.starts.append(self.clock.monotonic())
            unit.process = self.runner.start(spec)
        except (StateholdError, OSError) as error:
            self._failed(unit, str(error), began=False)
            return
        self._number += 1
        unit.restarts += unit.number > 0
        unit.number, unit.is_up, unit.is_killed = self._number, False, False
        self._selector.register(unit.process, selectors.EVENT_READ, (unit, "events"))
        self._selector.register(unit.process.output, selectors.EVENT_READ, (unit, "output"))
        self._set(unit, Phase.STARTING, due=_START)
        self._tell(self.listener.started, unit.wanted)
        self._take(unit, unit.process.events())

    def _released(self, unit: Unit) -> None:
        """Hear from another thread that a held service may start."""
        self._ready.append(unit)
        self.wake()

    def _stop(self, unit: Unit) -> None:
        if unit.process is not None:
            self._set(unit, Phase.STOPPING, due=unit.wanted.config.stop_seconds)
            unit.process.stop()

    def _kill(self, unit: Unit) -> None:
        if unit.process is not None:
            unit.is_killed, unit.due = True, self.clock.monotonic() + _KILL
            unit.process.kill()

    # -- What happens --------------------------------------------------------------------------------------

    def _take(self, unit: Unit, events: Any) -> None:
        for event in events:
            if isinstance(event, Started):
                if event.lacks:
                    unit.message = "; ".join(event.lacks)
                    self.logger.warning("service %s: %s", _shown(unit), unit.message)
                unit.is_up = True
                if unit.phase is Phase.STARTING:
                    self._set(unit, Phase.STARTING, due=self.health)
            else:
                self._over(unit, event)

    def _due(self, unit: Unit) -> None:
        match unit.phase:
            case Phase.STARTING if unit.is_up:
                unit.failures = 0
                self._set(unit, Phase.RUNNING)
                self._tell(self.listener.healthy, unit.wanted)
            case Phase.STARTING:
                self.logger.error("service %s could not be started in %g s", _shown(unit), _START)
                self._over(unit, Ended(-signal.SIGKILL))
            case Phase.STOPPING if unit.is_killed:
                self._over(unit, Ended(-signal.SIGKILL))
            case Phase.STOPPING:
                self.logger.warning("service %s does not end, and is killed", _shown(unit))
                self._kill(unit)
            case Phase.RESTARTING:
                self._set(unit, Phase.WAITING)

    def _over(self, unit: Unit, event: Event) -> None:
        process, unit.process = unit.process, None
        if process is None:
            return
        for descriptor in (process, process.output):
            with suppress(KeyError, ValueError):
                self._selector.unregister(descriptor)
        unit.log.drain(process.output)
        process.close()
        self._tell(self.listener.stopped, unit.wanted)
        if unit.phase is Phase.STOPPING:
            self._drop(unit)
            return
        why = str(event) if isinstance(event, Ended) else f"cannot be started: {getattr(event, 'why', '')}"
        if unit.log.last:
            why += f"; it wrote last: {unit.log.last[-1][:200]}"
        if isinstance(event, Ended) and not event.code and unit.wanted.config.restart != "always":
            self._set(unit, Phase.ENDED)
            return
        self._failed(unit, why)

    def _failed(self, unit: Unit, why: str, *, began: bool = True) -> None:
        unit.message = why
        unit.failures += 1
        self.logger.warning("service %s %s", _shown(unit), why)
        if self._tell(self.listener.failed, unit.wanted, why):
            self._drop(unit)
            return
        parameters, now = unit.wanted.config.run_parameters, self.clock.monotonic()
        unit.starts = [at for at in unit.starts if at > now - parameters.start_interval]
        is_over = began and unit.wanted.config.restart == "never"
        if is_over or len(unit.starts) >= parameters.start_burst:
            self._set(unit, Phase.FAILED)
            self._tell(self.listener.gave_up, unit.wanted, why)
            return
        pause = parameters.restart_interval * 2.0 ** min(unit.failures - 1, 20)
        self._set(unit, Phase.RESTARTING, due=min(pause, max(_LONGEST_PAUSE, parameters.restart_interval)))

    def _drop(self, unit: Unit) -> None:
        unit.log.close()
        self.units.pop(unit.wanted.id, None)

    def _set(self, unit: Unit, phase: Phase, *, due: float | None = None) -> None:
        if unit.phase is not phase or not unit.since:
            unit.since = int(self.clock.now() * 1000)
        unit.phase = phase
        unit.due = None if due is None else self.clock.monotonic() + due

    def _tell(self, hear: Callable[..., Any], *what: Any) -> Any:
        """Tell somebody, whose own errors are no reason to let services alone."""
        try:
            return hear(*what)
        except StateholdError as error:
            self.logger.error("%s", error)  # noqa: TRY400 - no defect of ours
            return None


def _shown(unit: Unit) -> str:
    return f"{unit.wanted.claim.service!r} of {unit.wanted.claim.users}"
