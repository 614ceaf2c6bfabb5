from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from weakref import WeakKeyDictionary

import msgspec

from statehold.events import WorkspaceError
from statehold.hosting import App, AppData, AppVersion
from statehold.processing._answers import JobStatus, Lag
from statehold.processing._errors import UnknownError
from statehold.processing._jobs import Job, job_row
from statehold.processing._kit import Kit
from statehold.processing._parts import Parts
from statehold.processing._projector import Projector
from statehold.processing._slice import Slice
from statehold.rows import Put
from statehold.sdk import HostError


class Share:
    """A running app, as the runtime runs it: its partitions and its jobs.

    Attributes:
        app: the app.
        data: what it remembers. An app that is taken away and deployed again has another one, and another
            share, unless something of it was still under way: then the share goes on.
        slices: its partitions, by number.
        moved: called when a projector has moved on.
        is_closed: whether it takes no requests: before its projectors and jobs go on, and once it is stopped.
        is_ended: whether it has been stopped for good.

    """

    def __init__(
        self, app: App, kit: Kit, *, background: bool, jobs: bool, moved: Callable[[], None]
    ) -> None:
        self.app = app
        self.data: AppData = app.data
        self.moved = moved
        self.is_closed = True
        self.is_ended = False
        self._refreshed: tuple[AppVersion, ...] = ()
        self._kit = kit
        self._background = background
        self._runs_jobs = background and jobs
        # Forgotten with their versions, which may come and go while a partition is at work with one of them.
        self._parts: WeakKeyDictionary[AppVersion, Parts] = WeakKeyDictionary()
        self._jobs: dict[tuple[str, int], Job] = {}
        self._refreshing = threading.Lock()
        self.slices = tuple(Slice(self, data.number, kit) for data in self.data.partitions)

    def slice_of(self, workspace: int) -> Slice:
        """Return the partition that a workspace lies in."""
        return self.slices[workspace % len(self.slices)]

    def parts(self, version: AppVersion) -> Parts:
        """Return what is compiled of a version."""
        parts = self._parts.get(version)
        if parts is None:
            parts = self._parts.setdefault(version, Parts(version))
        return parts

    def refresh(self) -> None:
        """Go on with what is current in each partition: projectors, jobs, what is left to do; or stop."""
        with self._refreshing, suppress(HostError):
            if self.is_ended:
                return
            if self.app.current_or_none is None:
                self._stop()
                return
            versions = []
            for one in self.slices:
                borrowed = self.app.borrow(one.number)
                with borrowed as partition:
                    if partition.data is not self.data.partitions[one.number]:
                        self._stop()
                        return
                    versions.append(borrowed.version)
                    one.refresh(self.parts(borrowed.version), background=self._background)
            if self._runs_jobs:
                self._refresh_jobs([self.parts(version) for version in versions])
            # Not before: an event of a request that is taken earlier would wake no projector.
            self._refreshed, self.is_closed = tuple(versions), False

    def read_job(self, name: str, workspace: int) -> float | None:
        """Return when a job was due last, in seconds since 1970; None for never."""
        row = self.data.store.get(*job_row(name, workspace))
        return None if row is None else msgspec.msgpack.decode(row, type=float)

    def write_job(self, name: str, workspace: int, due: float) -> None:
        """Remember when a job was due last."""
        self.data.store.write([Put(*job_row(name, workspace), msgspec.msgpack.encode(due))])

    def job(self, name: str, workspace: int) -> Job:
        """Return a job in a workspace.

        Raises:
            UnknownError: there is none.

        """
        job = self._jobs.get((name, workspace))
        if job is None or job.is_stopped:
            # Its version may have become current just now.
            self.refresh()
            job = self._jobs.get((name, workspace))
        if job is None or job.is_stopped:
            raise UnknownError(f"{self.app.name} runs no job {name!r} in workspace {workspace}", qname=name)
        return job

    def jobs(self) -> Iterator[JobStatus]:
        """Yield every job."""
        for job in self._jobs.values():
            if not job.is_stopped:
                yield job.status

    def lags(self) -> Iterator[Lag]:
        """Yield how far each projector is behind, in each partition."""
        for one in self.slices:
            borrowed = self.app.borrow(one.number)
            found: list[Lag] = []
            with suppress(HostError), borrowed:
                found += one.lags(self.parts(borrowed.version))
            yield from found

    def goals(self) -> Iterator[tuple[Projector, int]]:
        """Yield each projector that is current with the offset of the last event there is."""
        if self._refreshed != self.app.currents:
            self.refresh()
        for one in self.slices:
            for projector in one.running:
                yield projector, one.head

    def stop(self) -> None:
        """Take no more requests, and let projectors and jobs end, for good."""
        with self._refreshing:
            self.is_ended = True
            self._stop()

    def close(self, end: float) -> list[str]:
        """Wait until *end*, by `time.monotonic`, for what is under way; return the partitions that hang."""
        self.stop()
        return [one.where for one in self.slices if not one.lane.close(max(0.0, end - time.monotonic()))]

    def _stop(self) -> None:
        self.is_closed = True
        for job in self._jobs.values():
            job.stop()
        for one in self.slices:
            one.stop()
        self._refreshed = ()

    def _refresh_jobs(self, in_partition: Sequence[Parts]) -> None:
        wanted: dict[tuple[str, int], str] = {}
        for workspace in range(1, max(parts.app_workspaces for parts in in_partition) + 1):
            parts = in_partition[workspace % len(in_partition)]
            if workspace > parts.app_workspaces:
                continue
            members = parts.schemas.members.get(self._kind(parts, workspace), frozenset())
            wanted.update(
                ((name, workspace), job.schedule)
                for name, job in parts.jobs.items()
                if job.schedule is not None and name in members
            )
        for place, job in self._jobs.items():
            if place not in wanted:
                job.stop()
        for place, schedule in wanted.items():
            # One that was stopped may still be running, and is not to run beside itself.
            if place not in self._jobs:
                self._jobs = {**self._jobs, place: Job(self, *place, self._kit)}
            self._jobs[place].start(schedule)

    def _kind(self, parts: Parts, workspace: int) -> str:
        data = self.data.partitions[workspace % len(self.slices)]
        try:
            return data.reader(parts.schemas).kind(workspace)
        except WorkspaceError:
            return ""
