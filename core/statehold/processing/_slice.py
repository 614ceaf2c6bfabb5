from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from statehold.events import Event
from statehold.hosting import App, AppVersion, Outcomes, Partition
from statehold.processing._answers import Lag
from statehold.processing._batches import Batches
from statehold.processing._errors import ClosedError
from statehold.processing._failure import is_failure
from statehold.processing._gate import Gate
from statehold.processing._kit import Kit
from statehold.processing._lane import Lane
from statehold.processing._outbox import Outbox
from statehold.processing._parts import Parts
from statehold.processing._projector import Projector
from statehold.processing._timer import Alarm
from statehold.processing._work import Bench
from statehold.processing._writing import ClearOutbox
from statehold.sdk import HostError

if TYPE_CHECKING:
    from statehold.processing._share import Share


class Bound:
    """Keeps a version open while its `with` block runs. Every query has one: a generator would cost more."""

    __slots__ = ("_app", "_outcomes", "_slice", "_version")

    _version: AppVersion
    _outcomes: Outcomes

    def __init__(self, slice_: Slice, app: App) -> None:
        self._slice = slice_
        self._app = app

    def __enter__(self) -> Bench:
        number = self._slice.number
        while not (version := self._app.current_of(number)).acquire():
            pass  # It was replaced between the two steps: the next one is another.
        self._version = version
        try:
            partition = version.partitions[number]
            self._outcomes = partition.outcomes
            return self._slice.bench(partition, version)
        except BaseException:
            version.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._version.release()
        self._outcomes.calls += 1
        if error is not None and is_failure(error):
            self._outcomes.failures += 1


class Slice:
    """One partition of a running app: its lane of commands, its projectors, its outbox.

    Attributes:
        app: the app's name.
        number: the number of the partition.
        where: both, for messages.
        lane: where commands wait for their turn.
        head: the offset of the last event in the log.
        projectors: the asynchronous projectors that there ever were, by name; those of no use are stopped.

    """

    def __init__(self, share: Share, number: int, kit: Kit) -> None:
        self.app = share.app.name
        self.number = number
        self.where = f"partition {number} of {self.app}"
        self.head = share.data.partitions[number].last_offset()
        self.projectors: dict[str, Projector] = {}
        self.outbox = Outbox(self.where, kit.logger, failed=self._outbox_failed)
        self._lock = threading.Lock()
        self._attempts = 0
        self._is_new = True
        self._retry: Alarm | None = None
        self._share = share
        self._data = share.data.partitions[number]
        self._kit = kit
        self._gate = Gate(self.app, buckets=kit.settings.buckets, clock=kit.clock, meter=kit.meter)
        self._bench: Bench | None = None
        batches = Batches(share.app, number, bench=self.bench, committed=self._committed, logger=kit.logger)
        self.lane = Lane(self.where, batches.run, start=kit.start_lane, most=kit.settings.max_batch)

    def borrow(self) -> Bound:
        """Return what keeps the version open that is current here while its block runs, and gives a bench."""
        return Bound(self, self._share.app)

    def bench(self, partition: Partition, version: AppVersion) -> Bench:
        """Return what work is done with.

        Raises:
            ClosedError: the app was taken away and is there again, with another share.

        """
        if partition.data is not self._data:
            raise ClosedError(f"{self.where} was taken away", hint="Try again: it is back")
        bench = self._bench
        if bench is None or bench.partition is not partition:
            bench = self._bench = Bench(
                app=self.app,
                partition=partition,
                parts=self._share.parts(version),
                gate=self._gate,
                outbox=self.outbox,
                settings=self._kit.settings,
                clock=self._kit.clock,
                reader=partition.data.reader(partition.schemas),
            )
        return bench

    def refresh(self, parts: Parts, *, background: bool) -> None:
        """Go on with the version that is current here: its projectors, and what is left to do."""
        self._bench = None
        if any(True for _ in self._data.reader(parts.schemas).outbox()):
            if self._is_new:
                # What a host before has left is done before any further command.
                with suppress(ClosedError):
                    self.lane.submit(ClearOutbox(), self._cleared)
            else:
                self._clear_outbox()
        self._is_new = False
        wanted = parts.projectors if background else {}
        for name, projector in self.projectors.items():
            if name not in wanted:
                projector.stop()
        for name in wanted:
            # One that was stopped may still be at an event, and is not to run beside itself.
            if name not in self.projectors:
                made = Projector(self, name, self._kit, moved=self._share.moved)
                self.projectors = {**self.projectors, name: made}
            self.projectors[name].go_on()

    def hangs(self) -> None:
        """Count a call that was given up: what holds it up is the version that is current here."""
        with suppress(HostError):
            self._share.app.current_of(self.number).partitions[self.number].outcomes.add(1, 1)

    @property
    def running(self) -> tuple[Projector, ...]:
        """The projectors that are not stopped."""
        return tuple(one for one in self.projectors.values() if not one.is_stopped)

    def stop(self) -> None:
        """Let projectors end."""
        for projector in self.projectors.values():
            projector.stop()
        self._bench = None

    def lags(self, parts: Parts) -> Iterator[Lag]:
        """Yield how far each projector is behind."""
        reader = self._data.reader(parts.schemas)
        now = self._kit.clock.now()
        for projector in self.running:
            offset = projector.offset
            if offset is None:
                offset = reader.projector_offset(projector.name)
            events = max(0, self.head - offset)
            first = next(iter(reader.plog(offset + 1, limit=1)), None) if events else None
            yield Lag(
                app=self.app,
                partition=self.number,
                projector=projector.name,
                offset=offset,
                events=events,
                seconds=max(0.0, now - first.registered_at / 1000) if first is not None else 0.0,
                problem=projector.problem,
                attempts=projector.attempts,
            )

    def _committed(self, parts: Parts, events: Sequence[Event], commands: int, seconds: float) -> None:
        before, self.head = self.head, events[-1].offset
        self._kit.meter.batch(self.app, self.number, commands, seconds)
        for event in events:
            for cud in event.cuds:
                if cud.table == "sys.WorkspaceDescriptor":
                    self._gate.forget_owner(event.workspace)
        # A version that is becoming current may bring others just now.
        for projector in self.projectors.values():
            self._wake(projector, parts, before, events)

    def _wake(self, projector: Projector, parts: Parts, before: int, events: Sequence[Event]) -> None:
        if not projector.is_busy and projector.name in parts.projectors:
            wakes, kinds = parts.triggers.wakes, self._data.kind
            woken = any(wakes(projector.name, event, kinds(event.workspace) or "") for event in events)
            if not woken and projector.passed(before, events[-1]):
                return
        projector.wake()

    def _clear_outbox(self) -> None:
        """Do what is left in the outbox, beside the commands: what it waits for holds up none."""
        self._kit.workers.submit(self._try_outbox)

    def _try_outbox(self) -> None:
        with self._lock:
            self._retry = None
        with suppress(HostError, ClosedError), self.borrow() as bench:
            self._cleared(self.outbox.again(bench.partition, bench.parts.schemas))

    def _outbox_failed(self) -> None:
        with self._lock:
            if self._retry is None and not self._share.is_ended:
                self._retry = self._kit.timer.after(
                    self._kit.settings.pause(self._attempts), self._clear_outbox
                )
                self._attempts += 1

    def _cleared(self, _: object) -> None:
        if not self.outbox.problems:
            self._attempts = 0
