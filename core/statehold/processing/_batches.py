from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from statehold.events import Event, EventsError, Unit
from statehold.hosting import App, AppVersion, Partition
from statehold.processing._errors import BusyError, ProcessingError
from statehold.processing._failure import explained, is_failure
from statehold.processing._lane import Pending
from statehold.processing._parts import Parts
from statehold.processing._work import Bench, Done
from statehold.rows import RowStoreError

_Finished = tuple[Pending, Done]
Wake = Callable[[Sequence[Pending]], None]


class Batches:
    """Does pieces of work of one partition together: one unit, one commit.

    A piece that fails is undone alone. One that has something to do beyond the row store is the last of its
    batch, so that those after it find it done.

    Args:
        app: the app.
        number: the number of the partition.
        bench: makes what work is done with, of a borrowed partition and its version.
        committed: hears of the events that were committed.
        logger: where failures go that no caller hears of.

    """

    def __init__(
        self,
        app: App,
        number: int,
        *,
        bench: Callable[[Partition, AppVersion], Bench],
        committed: Callable[[Parts, Sequence[Event], int, float], None],
        logger: logging.Logger,
    ) -> None:
        self._app = app
        self._number = number
        self._bench = bench
        self._committed = committed
        self._logger = logger

    def run(self, batch: list[Pending], wake: Wake) -> list[Pending]:
        """Do a batch, finish each of its pieces and *wake* its caller; return those left for the next one."""
        try:
            while True:
                borrowed = self._app.borrow(self._number)
                with borrowed as partition, partition.writing:
                    # A deploy that held this relies on it that the version before appends nothing more.
                    if not self._app.is_replaced(borrowed.version, self._number):
                        return self._run(batch, self._bench(partition, borrowed.version), wake)
        except BaseException as error:
            told: BaseException = error
            if isinstance(error, Exception):
                told = explained(error, "")
            elif len(batch) > 1:
                # Ctrl-C is for the one thread that it reached.
                told = BusyError("its batch was interrupted, and may have been stored or not", unknown=True)
            for pending in batch:
                if not pending.is_done:
                    pending.finish(told)
            wake([pending for pending in batch if not pending.is_linked])
            if not isinstance(error, Exception):
                raise
            return []

    def _run(self, batch: list[Pending], bench: Bench, wake: Wake) -> list[Pending]:
        unit = bench.partition.data.begin(bench.parts.schemas)
        finished: list[_Finished] = []
        failed: list[tuple[Pending, ProcessingError]] = []
        left: list[Pending] = []
        end = time.perf_counter() + bench.settings.batch_seconds
        for place, pending in enumerate(batch):
            inner = unit.begin()
            try:
                done = pending.work.run(bench, inner)
                inner.merge()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this piece's alone
                told = explained(error, pending.work.name)
                failed.append((pending, told))
                self._log_failure(bench, unit, pending, told)
                continue
            finished.append((pending, done))
            if done.states or time.perf_counter() > end:
                left = batch[place + 1 :]
                break
        for pending, told in failed:
            pending.finish(told)
        outcomes = bench.partition.outcomes
        outcomes.add(len(finished) + len(failed), sum(is_failure(told) for _, told in failed))
        if not self._commit(bench, unit, finished):
            outcomes.add(0, len(finished))
        for pending, done in finished:
            # The last one alone may have states; the others do not wait for what it does.
            if not pending.is_done and not done.states:
                pending.finish(done.answer)
        wake([pending for pending in batch if pending.is_done])
        last = finished[-1:]
        for pending, done in last:
            if not pending.is_done:
                self._settle(bench, pending, done)
                wake([pending])
        return left

    def _log_failure(self, bench: Bench, unit: Unit, pending: Pending, error: ProcessingError) -> None:
        inner = unit.begin()
        try:
            if pending.work.failed(bench, inner, error) is not None:
                inner.merge()
        except Exception:
            self._logger.exception("the failure of %s could not be logged", pending.work.name)

    def _commit(self, bench: Bench, unit: Unit, finished: list[_Finished]) -> bool:
        """Return whether it is stored, after all have been told who see that it is not."""
        began = time.perf_counter()
        try:
            events = () if unit.is_empty else unit.commit()
        except (RowStoreError, EventsError) as error:
            for pending, done in finished:
                bench.outbox.forget(done.outbox)
                pending.finish(explained(error, pending.work.name))
            return False
        if events:
            try:
                self._committed(bench.parts, events, len(finished), time.perf_counter() - began)
            except Exception:
                # What is committed is answered as that, whoever fails to hear of it.
                self._logger.exception("a commit of %s could not be told", bench.app)
        return True

    def _settle(self, bench: Bench, pending: Pending, done: Done) -> None:
        """Do what is beyond the row store, and then answer."""
        problem = bench.outbox.settle(bench.partition.data, done.outbox, done.states, bench.parts.schemas)
        bench.partition.outcomes.add(0, 1 if problem else 0)
        answer = msgspec.structs.replace(done.answer, problem=problem) if problem else done.answer
        pending.finish(answer)
