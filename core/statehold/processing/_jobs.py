from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec

from statehold.processing._answers import JobStatus
from statehold.processing._errors import ConflictError, UnknownError
from statehold.processing._failure import explained
from statehold.processing._kit import Kit
from statehold.processing._schedule import Schedule
from statehold.processing._timer import Alarm
from statehold.rows import Columns
from statehold.sdk import CallContext, Scope

if TYPE_CHECKING:
    from statehold.processing._share import Share
    from statehold.processing._work import Bench

_JOBS: Final = "job"
#: The most seconds to wait before looking at the clock again: it may have been turned.
_LONGEST: Final = 30.0
#: The most due times that are counted as missed.
_MOST_MISSED: Final = 10_000


def job_row(name: str, workspace: int) -> tuple[Columns, Columns]:
    """Return the key of the row that says when a job was due last."""
    return (_JOBS, workspace), (name,)


class Job:
    """One job in one workspace of the app: once started run when it is due, never twice at a time.

    When it was due last is kept in the row store. Due times that pass while it is running, or while no
    host is, are made up for by one run at once, and the others are reported as missed. A run that fails is
    reported too, and not tried again before it is due again.
    """

    def __init__(self, share: Share, name: str, workspace: int, kit: Kit) -> None:
        self.name = name
        self.workspace = workspace
        self._schedule: Schedule | None = None
        self._share = share
        self._kit = kit
        self._lock = threading.Lock()
        self._alarm: Alarm | None = None
        self._last: float | None = None
        self._due = math.inf
        self._missed = 0
        self._problem = ""
        self._is_running = False
        self._is_stopped = True

    def start(self, schedule: str) -> None:
        """Wait for the next time it is due: after the last one, or after now if it never was.

        One that waits by this schedule already just goes on.
        """
        with self._lock:
            if not self._is_stopped and self._schedule is not None and self._schedule.text == schedule:
                return
            self._schedule = Schedule(schedule)
            last = self._share.read_job(self.name, self.workspace)
            if last is None:
                # So that a host which comes back later knows what it has missed.
                self._share.write_job(self.name, self.workspace, self._kit.clock.now())
            self._last = last
            self._due = self._schedule.next(self._kit.clock.now() if last is None else last)
            self._is_stopped = False
        self._look()

    @property
    def is_stopped(self) -> bool:
        """Whether it waits for no time; it may still be running."""
        return self._is_stopped

    def stop(self) -> None:
        """Run no more before it is started again."""
        with self._lock:
            self._is_stopped = True
            if self._alarm is not None:
                self._alarm.cancel()

    @property
    def status(self) -> JobStatus:
        """Where it stands."""
        return JobStatus(
            app=self._share.app.name,
            job=self.name,
            workspace=self.workspace,
            due=self._due,
            last=self._last,
            running=self._is_running,
            missed=self._missed,
            problem=self._problem,
        )

    def run(self) -> None:
        """Run it now, on the calling thread, beside its schedule.

        Raises:
            ConflictError: it is running.
            UnknownError: the version that has become current meanwhile does not have it.
            ProcessingError: it failed.

        """
        with self._lock:
            if self._is_running:
                raise ConflictError(
                    f"JOB {self.name} is running in workspace {self.workspace}", qname=self.name
                )
            self._is_running = True
        try:
            ran = self._run(self._kit.clock.now(), is_due=False)
        finally:
            with self._lock:
                self._is_running = False
            self._look()
        if not ran:
            raise UnknownError(f"{self._share.app.name} runs no job {self.name!r} any more", qname=self.name)

    def _look(self) -> None:
        """Begin if it is due, and look again later."""
        now = self._kit.clock.now()
        with self._lock:
            schedule = self._schedule
            if self._is_stopped or schedule is None:
                return
            if now >= self._due and not self._is_running:
                self._is_running = True
                due = self._passed(schedule, now)
                self._kit.workers.submit(lambda: self._work(due))
            if self._alarm is not None:
                self._alarm.cancel()
            # What is due while it is running is looked at when that has ended.
            if now < self._due < math.inf:
                self._alarm = self._kit.timer.after(min(self._due - now, _LONGEST), self._look)

    def _passed(self, schedule: Schedule, now: float) -> float:
        """Return the last time it was due up to now, go on to the next, and count what is missed."""
        due, missed = self._due, 0
        while (after := schedule.next(due)) <= now and missed < _MOST_MISSED:
            due, missed = after, missed + 1
        self._due = after if after > now else schedule.next(now)
        if missed:
            self._missed += missed
            self._kit.meter.missed(self._share.app.name, self.name, self.workspace, missed)
            self._kit.logger.warning(
                "JOB %s of %s missed %d runs in workspace %d",
                self.name,
                self._share.app.name,
                missed,
                self.workspace,
            )
        return due

    def _work(self, due: float) -> None:
        ran = True
        try:
            ran = self._run(due, is_due=True)
        except Exception as error:  # noqa: BLE001 - reported, and there is a next time
            self._kit.logger.error(  # noqa: TRY400 - what went wrong is in the message
                "JOB %s of %s failed in workspace %d: %s",
                self.name,
                self._share.app.name,
                self.workspace,
                error,
            )
        finally:
            with self._lock:
                self._is_running = False
                self._last = due if ran else self._last
            self._look()

    def _run(self, due: float, *, is_due: bool) -> bool:
        """Run it; return False where the version that is current by now does not have it: it is no run."""
        began, ok, ran = time.perf_counter(), False, True
        try:
            with self._share.slice_of(self.workspace).borrow() as bench:
                ran = self.name in bench.parts.jobs
                if ran:
                    self._invoke(bench, due, is_due=is_due)
            ok = True
            self._problem = ""
        except Exception as error:
            if is_due:
                self._share.write_job(self.name, self.workspace, due)
            told = explained(error, self.name)
            self._problem = str(told)
            raise told from error
        finally:
            seconds = time.perf_counter() - began
            if ran:
                self._kit.meter.job(self._share.app.name, self.name, self.workspace, seconds, ok=ok)
        return ran

    def _invoke(self, bench: Bench, due: float, *, is_due: bool) -> None:
        data, schemas = bench.partition.data, bench.parts.schemas
        unit = data.begin(schemas)
        call = CallContext(
            scope=Scope.JOBS, workspace=self.workspace, extension=self.name, unit=unit, time=due
        )
        runner = bench.partition.extension(self.name)
        state = runner.state(call, limit=bench.settings.intents)
        runner.invoke(state, call)
        state.prepare()
        if is_due:
            # With what it has changed: when the host is killed before, this run is made up for.
            unit.put(*job_row(self.name, self.workspace), msgspec.msgpack.encode(due))
        number = bench.outbox.put(unit, [state])
        try:
            if not unit.is_empty:
                unit.commit()
        except BaseException:
            bench.outbox.forget(number)
            raise
        bench.outbox.settle(data, number, [state], schemas)
