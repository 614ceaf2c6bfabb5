from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from statehold.events import PartitionData, Reader, Schemas, Unit
from statehold.hosting import Partition
from statehold.sdk import CallContext, Scope, StateholdError
from statehold.state import IntentRecord, State

#: What loses nothing that anybody counts on when the host is killed.
LOGGER: Final = "sys.Logger"


class _Entry(msgspec.Struct, frozen=True):
    """What one call still has to do beyond the row store."""

    scope: str
    extension: str
    workspace: int
    offset: int | None
    intents: list[IntentRecord]


#: Made here: two threads that are the first to read a type bring msgspec, and the process, to an end.
_entries: Final = msgspec.msgpack.Decoder(list[_Entry]).decode


class Outbox:
    """What is still to be done beyond the row store, such as mails, in one partition.

    It is written in the same commit as what it belongs to, done after it, and then removed. What a host that
    was killed has left is done by the next one: so each is done at least once. What fails stays, and is
    tried again from time to time, with no order among what failed.

    Args:
        where: the partition, for messages.
        logger: where failures are told.
        failed: called when something failed: `again` is to be called later.

    """

    def __init__(self, where: str, logger: logging.Logger, *, failed: Callable[[], None]) -> None:
        self._failed = failed
        self._where = where
        self._logger = logger
        self._lock = threading.Lock()
        self._clearing = threading.Lock()
        self._next: int | None = None
        self._under_way: set[int] = set()
        #: What failed, and why, by number.
        self.problems: dict[int, str] = {}

    def put(self, unit: Unit, states: Sequence[State]) -> int | None:
        """Write what *states* still have to do into a unit, and return its number; None for nothing."""
        entries = []
        for state in states:
            intents = state.deferred(but=(LOGGER,))
            if intents:
                call = state.call
                entries.append(_Entry(call.scope, call.extension, call.workspace, call.offset, intents))
        if not entries:
            return None
        with self._lock:
            number = self._number(unit)
            self._next = number + 1
            self._under_way.add(number)
        unit.put_outbox(number, msgspec.msgpack.encode(entries))
        return number

    def settle(
        self, data: PartitionData, number: int | None, states: Sequence[State], schemas: Schemas
    ) -> str:
        """Do what *states* have to do, after the commit; return what failed, empty if nothing did."""
        problem = ""
        for state in states:
            try:
                state.settle()
            except Exception as error:  # noqa: BLE001 - whatever a storage raises: the commit has been made
                problem = f"{state.name}: {_said(error)}"
                self._logger.warning("%s: %s", self._where, problem)
        if number is not None:
            self._end(data, number, problem, schemas)
        return problem

    def forget(self, number: int | None) -> None:
        """Take it that the commit with this number failed; if it was made all the same, `again` will see."""
        if number is not None:
            with self._lock:
                self._under_way.discard(number)
            self._failed()

    def again(self, partition: Partition, schemas: Schemas) -> bool:
        """Do what is there and not under way; return whether nothing is left."""
        if not self._clearing.acquire(blocking=False):
            return False
        try:
            self._again(partition, schemas)
        finally:
            self._clearing.release()
        return not self.problems

    def _again(self, partition: Partition, schemas: Schemas) -> None:
        data = partition.data
        reader = data.reader(schemas)
        with self._lock:
            end = self._next = self._number(reader)
            busy = set(self._under_way)
        # What is under way before the rows are read may be done right after.
        rows = [(number, row) for number, row in reader.outbox() if number < end and number not in busy]
        for number, row in rows:
            with self._lock:
                self._under_way.add(number)
            problem = ""
            try:
                for entry in _entries(row):
                    self._do(partition, entry, data.begin(schemas))
            except Exception as error:  # noqa: BLE001 - it stays, and the next one has its chance
                problem = _said(error)
                if number not in self.problems:
                    self._logger.error("%s: what is left to be done failed: %s", self._where, problem)  # noqa: TRY400
            self._end(data, number, problem, schemas)

    @staticmethod
    def _do(partition: Partition, entry: _Entry, unit: Unit) -> None:
        runner = partition.extension(entry.extension)
        call = CallContext(
            scope=Scope(entry.scope),
            workspace=entry.workspace,
            extension=entry.extension,
            unit=unit,
            offset=entry.offset,
        )
        state = runner.state(call)
        state.restore(entry.intents)
        state.settle()

    def _end(self, data: PartitionData, number: int, problem: str, schemas: Schemas) -> None:
        if problem:
            self.problems[number] = problem
        else:
            try:
                unit = data.begin(schemas)
                unit.remove_outbox(number)
                unit.commit()
                self.problems.pop(number, None)
            except StateholdError as error:
                # It has been done, and will be once more.
                self.problems[number] = _said(error)
        with self._lock:
            self._under_way.discard(number)
        if number in self.problems:
            self._failed()

    def _number(self, reader: Reader) -> int:
        if self._next is None:
            self._next = max((number for number, _ in reader.outbox()), default=0) + 1
        return self._next


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, StateholdError) else f"{type(error).__name__}: {error}"
