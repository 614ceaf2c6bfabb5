from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from statehold.events import Event, Reader, Unit
from statehold.hosting import Runner
from statehold.processing._work import Bench
from statehold.sdk import CallContext, Rank, Scope
from statehold.state import BundledState, Uses

#: What a projector may read from a bundle that is not written yet: nothing outside hears of it, and no change
#: is asked of them.
_QUIET: Final = frozenset({"sys.Event", "sys.WLog", "sys.Uniq", "sys.AppSecret"})
#: How many events that do not wake a projector may pass before its offset is written.
FAR: Final = 1000


def is_bundled(uses: Uses) -> bool:
    """Return whether what a projector asks for may be held back and written with that of other events.

    It may where all its changes stand on the row store, and nothing it reads does anything.
    """
    return all(slot.rank is Rank.ROWS or slot.storage in _QUIET for slot in uses.slots)


class Bundle:
    """Takes one asynchronous projector through events, up to the next commit or to the end of the log.

    Its offset is written in the same commit as its rows, so that each event has its effect once.

    Args:
        bench: the partition of a version.
        runner: the projector.
        name: its qualified name.
        at: the offset of the last event it has seen.
        written: the offset that is written; between the two no event woke it.
        stopping: says whether to stop at the next event.

    Attributes:
        at: the offset of the last event it is done with.
        written: the offset that is written.
        events: how many events woke it.

    """

    def __init__(
        self,
        bench: Bench,
        runner: Runner,
        name: str,
        *,
        at: int,
        written: int,
        stopping: Callable[[], bool],
    ) -> None:
        self._bench = bench
        self._runner = runner
        self._name = name
        self._stopping = stopping
        self._data = bench.partition.data
        self._reader: Reader = self._data.reader(bench.parts.schemas)
        self._state: BundledState | None = None
        self._one_by_one = not is_bundled(runner.uses)
        self._call: CallContext | None = None
        self.at = at
        self.written = written
        self.events = 0

    @property
    def safe(self) -> int:
        """The offset from which to go on: before it, nothing is left to be written."""
        return self.written if self._state is not None and self._state.bundled else self.at

    def run(self) -> bool:
        """Go on; return whether there may be more events.

        Raises:
            Exception: the projector failed at the event after `at`; what was before that is written.

        """
        wakes, kind_of = self._bench.parts.triggers.wakes, self._reader.kind
        end = time.perf_counter() + self._bench.settings.bundle_seconds
        try:
            for event in self._reader.plog(self.at + 1):
                if self._stopping():
                    return False
                woken = wakes(self._name, event, kind_of(event.workspace))
                if woken:
                    self.events += 1
                    self._take(event)
                self.at = event.offset
                if woken and self._one_by_one:
                    continue
                if self._is_full() or time.perf_counter() > end or self.at - self.written >= FAR:
                    return True
        finally:
            self._flush_rest()
        return False

    def _take(self, event: Event) -> None:
        call = CallContext(
            scope=Scope.PROJECTORS,
            workspace=event.workspace,
            extension=self._name,
            unit=self._reader,
            event=event,
            offset=event.wlog_offset,
            time=event.registered_at / 1000,
        )
        self._call = call
        if self._one_by_one:
            self._take_alone(call)
            return
        if self._state is None:
            settings = self._bench.settings
            self._state = self._runner.bundled_state(
                call, limit=settings.intents, bundle_limit=settings.bundle, flush=self._flush
            )
        else:
            self._state.bind(call)
        try:
            self._runner.invoke(self._state, call)
            self._state.apply_intents()
        except BaseException:
            self._state.clear_intents()
            raise

    def _take_alone(self, call: CallContext) -> None:
        unit = self._data.begin(self._bench.parts.schemas)
        call = msgspec.structs.replace(call, unit=unit)
        state = self._runner.state(call, limit=self._bench.settings.intents)
        self._runner.invoke(state, call)
        state.prepare()
        outbox, schemas = self._bench.outbox, self._bench.parts.schemas
        number = outbox.put(unit, [state])
        try:
            self._write(unit, call.event.offset)
        except BaseException:
            outbox.forget(number)
            raise
        outbox.settle(self._data, number, [state], schemas)

    def _is_full(self) -> bool:
        return self._state is not None and self._state.is_full

    def _flush_rest(self) -> None:
        if self._state is not None and self._state.bundled:
            self._flush(self._state)
        elif self.at - self.written >= FAR:
            self._write(self._data.begin(self._bench.parts.schemas), self.at)

    def _flush(self, state: BundledState) -> None:
        """Write what is bundled, with the offset of the last event that is done."""
        call = self._call
        assert call is not None  # noqa: S101 - nothing is bundled before an event was taken
        unit = self._data.begin(self._bench.parts.schemas)
        state.stage(msgspec.structs.replace(call, unit=unit))
        self._write(unit, self.at)
        state.settle()

    def _write(self, unit: Unit, offset: int) -> None:
        unit.move_projector(self._name, self.written, offset)
        unit.commit()
        self.written = offset
