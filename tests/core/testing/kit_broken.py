"""Storages with one defect each, and the scenarios that must tell it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
import msgspec
from kit_memory import Memory, provider

from statehold.sdk import (
    Field,
    Intent,
    IStateStorage,
    Key,
    Operation,
    Provider,
    StorageContext,
    Value,
    fields,
)

KEPT_FOR_EVER: list[object] = []
WORLD: dict[Key, Value] = {}


@attrs.frozen
class Defect:
    """A broken provider, what its test says besides, and which scenarios must fail.

    Where hardly anything can work any more, it `cascades`, and only these are run; where it is slow,
    those of the expression `chosen`.
    """

    provider: Provider
    told_by: frozenset[str]
    said: Mapping[str, object]
    cascades: bool
    chosen: str


DEFECTS: dict[str, Defect] = {}


def defect(
    *told_by: str,
    said: Mapping[str, object] | None = None,
    cascades: bool = False,
    chosen: str = "",
    **changes: object,
) -> Callable[[type], type]:
    def note(storage: type) -> type:
        DEFECTS[storage.__name__] = Defect(
            provider(storage, **changes), frozenset(told_by), said or {}, cascades, chosen
        )
        return storage

    return note


def replace(value: Value, **changes: object) -> Value:
    return msgspec.structs.replace(value, **changes)


class ChangesValues(Memory):
    """Stores what `changed` makes of a field."""

    def changed(self, name: str, one: object) -> object:
        raise NotImplementedError

    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        stored = {name: self.changed(name, one) for name, one in fields(item.value).items()}
        super().write(rows, Intent(item.key, replace(item.value, **stored), is_new=item.is_new))


# -- Claims ----------------------------------------------------------------------------------------------


@defect("A2", cascades=True)
class OverClaims(Memory):
    read = None  # type: ignore[assignment]


@defect("A3", operations=[op for op in Operation if op is not Operation.UPDATE])
class UnderClaims(Memory):
    pass


@defect("A4")
class ProbeFails(Memory):
    def probe(self) -> None:
        raise RuntimeError("out of order")


# -- Reading ---------------------------------------------------------------------------------------------


@defect("G4")
class LosesDuplicates(Memory):
    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        return [self.get(key) for key in dict.fromkeys(keys)]


@defect("G3")
class AnswersInItsOwnOrder(Memory):
    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        # Keys that come twice or are missing are left alone, so that only the order is wrong.
        if len(keys) > 2 and len(set(keys)) == len(keys) and all(key in self.rows for key in keys):
            keys = sorted(keys, key=lambda key: tuple(fields(key).values())[1:])
        return [self.get(key) for key in keys]


@defect("G5")
class LeavesOutMissing(Memory):
    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        return [self.rows[key] for key in keys if key in self.rows]


@defect("G2", cascades=True)
class RaisesForMissing(Memory):
    def get(self, key: Key) -> Value | None:
        return self.rows[key]


@defect("R1")
class ReadsTooMuch(Memory):
    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        wanted = {name: one for name, one in fields(key).items() if isinstance(one, (str, int))}
        for found, value in self.rows.items():
            if all(
                found[name].startswith(one) if isinstance(one, str) else found[name] == one
                for name, one in wanted.items()
            ):
                yield found, value


class Holding(Memory):
    """Keeps everybody else out while a READ runs."""

    def get(self, key: Key) -> Value | None:
        with self.lock:
            return super().get(key)


@defect("R5", "R6", said={"patience": 3.0}, chosen="test_g or (test_r and not test_r4_)")
class HoldsItsLockWhileReading(Holding):
    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        with self.lock:
            yield from super().read(key)


@defect("R4", said={"patience": 3.0}, chosen="test_r4_ or test_g")
class HoldsItsLockWhenLeft(Holding):
    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        return LockedRows(self, super().read(key))

    def free(self) -> None:
        with self.lock:
            super().free()


class LockedRows(Iterator[tuple[Key, Value]]):
    """Gives the lock back after the last row, and only then."""

    def __init__(self, storage: Memory, rows: Iterator[tuple[Key, Value]]) -> None:
        self.storage, self.rows = storage, rows
        storage.lock.acquire()

    def __next__(self) -> tuple[Key, Value]:
        try:
            return next(self.rows)
        except StopIteration:
            with contextlib.suppress(RuntimeError):
                self.storage.lock.release()
            raise


# -- Writing ---------------------------------------------------------------------------------------------


@defect("W2", cascades=True)
class LosesInserts(Memory):
    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        if not item.is_new:
            super().write(rows, item)


@defect("W3")
class InsertMerges(Memory):
    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        given = {name: one for name, one in fields(item.value).items() if one not in (None, ())}
        if item.is_new and item.key in rows and set(given) == {"At"}:
            item = Intent(item.key, replace(rows[item.key], **given), is_new=True)
        super().write(rows, item)


@defect("W4")
class UpdateReplaces(Memory):
    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        return self.ctx.value(**{"At": existing["At"], **changes})


@defect("W5", cascades=True)
class WritesWhenAsked(Memory):
    def value_to_insert(self, key: Key, value: Value) -> Value:
        self.rows.setdefault(key, value)
        return value


@defect("W6", "W9")
class ValidateWrites(Memory):
    def validate(self, items: Sequence[Intent]) -> None:
        for item in items:
            self.rows[item.key] = item.value
        super().validate(items)


@defect("W7", "W8")
class AppliesBackwards(Memory):
    def apply_batch(self, items: Sequence[Intent]) -> None:
        super().apply_batch(items[::-1])


@defect("W7")
class TakesItemsAway(Memory):
    def apply_batch(self, items: Sequence[Intent]) -> None:
        super().apply_batch(items)
        items.clear()  # type: ignore[attr-defined]


@defect("W9")
class TakesWhatItShouldRefuse(Memory):
    def validate(self, items: Sequence[Intent]) -> None:
        pass

    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        rows[item.key] = item.value


@defect("W10")
class AppliesHalfABatch(Memory):
    def apply_batch(self, items: Sequence[Intent]) -> None:
        with self.lock:
            for item in items:
                self.write(self.rows, item)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        return iter(list(super().read(key)))


@defect("W12", chosen="not test_c3_ and not test_m1_")
class ChangesValuesInPlace(Memory):
    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        if item.key in rows:
            repr(item.value)
            for name, one in fields(item.value).items():
                msgspec.structs.force_setattr(rows[item.key], name, one)
        else:
            super().write(rows, item)


# -- Types -----------------------------------------------------------------------------------------------


@defect("T1")
class IntsAreFloats(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return int(float(one)) if isinstance(one, int) and name == "At" else one


@defect("T1", cascades=True)
class BoolsAreInts(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return int(one) if isinstance(one, bool) else one


@defect("T2", "T5")
class TruncatesLongText(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return one[:255] if isinstance(one, str) else one


@defect("T2", "T5")
class KnowsOnlyTheBasicPlane(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return "".join(c if c <= "\uffff" else "?" for c in one) if isinstance(one, str) else one


@defect("T2")
class ComposesText(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return unicodedata.normalize("NFC", one) if isinstance(one, str) else one


@defect("T3", "T5")
class BytesAreText(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return one.decode(errors="replace").encode() if isinstance(one, bytes) else one


@defect("T2")
class EmptyTextIsNull(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return None if one == "" and name == "Note" else one


@defect("T4", cascades=True)
class NullIsEmptyText(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return "" if one is None and name == "Note" else one


@defect("T6")
class KeysFoldCase(Memory):
    def get(self, key: Key) -> Value | None:
        return super().get(self.folded(key))

    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        super().write(rows, Intent(self.folded(item.key), item.value, is_new=item.is_new))

    def folded(self, key: Key) -> Key:
        return msgspec.structs.replace(key, Device=key["Device"].casefold())


@defect("T8")
class TurnsSomeNumbersRound(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return -one if isinstance(one, int) and -(2**63) < one < -128 else one


@defect("T7")
class NaNIsNull(ChangesValues):
    def changed(self, name: str, one: object) -> object:
        return None if isinstance(one, float) and one != one else one


# -- Separation ------------------------------------------------------------------------------------------


@defect("S1", "S2", operations=["GET", "GETBATCH", "INSERT", "UPDATE"])
class IgnoresTheWorkspace(Memory):
    read = None  # type: ignore[assignment]

    def get(self, key: Key) -> Value | None:
        return super().get(msgspec.structs.replace(key, WSID=0))

    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        key = msgspec.structs.replace(item.key, WSID=0)
        super().write(rows, Intent(key, item.value, is_new=item.is_new))


@defect("S3", "S4", "L10")
class SharesPartitions(Memory):
    world: dict[tuple[object, ...], dict[str, object]] = {}

    def get(self, key: Key) -> Value | None:
        found = self.world.get(tuple(fields(key).values()))
        return None if found is None else self.ctx.value_class(**found)

    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        super().write(rows, item)
        self.world[tuple(fields(item.key).values())] = fields(item.value)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        before = dict(self.world)
        try:
            super().apply_batch(items)
        except BaseException:
            self.world.clear()
            self.world.update(before)
            raise


@defect("S4", "L10")
class FilesUnderItsPartition(SharesPartitions):
    world: dict[tuple[object, ...], dict[str, object]] = {}

    def get(self, key: Key) -> Value | None:
        found = self.world.get((self.ctx.partition, *fields(key).values()))
        return None if found is None else self.ctx.value_class(**found)

    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        Memory.write(self, rows, item)
        self.world[(self.ctx.partition, *fields(item.key).values())] = fields(item.value)


# -- Life ------------------------------------------------------------------------------------------------


@defect("L1")
class FreeRaises(Memory):
    def free(self) -> None:
        raise RuntimeError("cannot be freed")


@defect("L2")
class StaysInMemory(Memory):
    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        KEPT_FOR_EVER.append(self)


@defect("L2")
class CannotBeWatched:
    """All of Memory, without a place for weak references."""

    __slots__ = ("ctx", "lock", "rows")

    vars().update({name: one for name, one in vars(Memory).items() if callable(one)})


@defect("L3", said={"patience": 4.0})
class LeaksAThread(Memory):
    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        threading.Thread(target=threading.Event().wait, args=(20,), name="forgotten", daemon=True).start()


@defect("L3", said={"patience": 1.0}, chosen="test_l3_ or test_g1_")
class BackgroundDoesNotStop(Memory):
    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        ctx.background(lambda _: threading.Event().wait(20))


@defect("L4", said={"patience": 4.0})
class LeaksADescriptor(Memory):
    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        os.open(ctx.data_folder, os.O_RDONLY)


@defect("L5")
class LeavesAFileToTheCollector(Memory):
    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        self.file = (ctx.data_folder / "log").open("a")


@defect("L6")
class Prints(Memory):
    def get(self, key: Key) -> Value | None:
        print("get")
        return super().get(key)


@defect("L6")
class PrintsBelowPython(Memory):
    def free(self) -> None:
        os.write(2, b"freed\n")


@defect("L7")
class SetsUpLogging(Memory):
    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        logging.getLogger().addHandler(logging.NullHandler())


@defect("L8", said={"secrets": {"Password": "correct horse"}})
class LogsASecret(Memory):
    def free(self) -> None:
        self.ctx.logger.info("bye, %s", self.ctx.secrets["Password"].reveal())


@defect("L9", "L12", said={"durable": True, "large": 1000})
class IsNotDurable(Memory):
    pass


@defect("L11")
class GoesOnAsTheOldOne(Memory):
    def __new__(cls, ctx: StorageContext) -> IStateStorage:  # type: ignore[misc]
        return ctx.existing or super().__new__(cls)

    def __init__(self, ctx: StorageContext) -> None:
        if ctx.existing is None:
            super().__init__(ctx)


@defect("L12", "L13", said={"hands_over": True})
class HandsOverNothing(Memory):
    pass


@defect("L12", "L13", said={"hands_over": True})
class HandsOverRowsOfTheOldSchema(Memory):
    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        if isinstance(ctx.existing, Memory):
            self.rows = dict(ctx.existing.rows)


class HandsOver(Memory):
    """Takes over as it should."""

    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        if isinstance(ctx.existing, Memory):
            self.rows = self.own(ctx.existing.rows)

    def own(self, rows: Mapping[Key, Value]) -> dict[Key, Value]:
        return {
            self.ctx.key_class(*fields(key).values()): self.ctx.value_class(*fields(value).values())
            for key, value in rows.items()
        }


@defect("L13", said={"hands_over": True}, chosen="test_l1")
class TrustsTheOldOneMore(HandsOver):
    """Looks into the storage before for as long as that is there, and gets old rows for new ones."""

    def __init__(self, ctx: StorageContext) -> None:
        super().__init__(ctx)
        self.before = ctx.existing

    def get(self, key: Key) -> Value | None:
        if isinstance(self.before, Memory):
            self.rows = {**self.rows, **self.own(self.before.rows)}
        return super().get(key)

    def free(self) -> None:
        super().free()
        self.before = None


@defect("L14", said={"hands_over": True}, chosen="test_l1")
class ResumesNothing(HandsOver):
    def resume(self, existing: IStateStorage) -> None:
        pass


@defect("L14", said={"hands_over": True}, chosen="test_l1")
class ResumesWithWhatItHad(HandsOver):
    """Takes those rows only that it does not have."""

    def resume(self, existing: IStateStorage) -> None:
        assert isinstance(existing, Memory)
        self.rows = {**self.own(existing.rows), **self.rows}


# -- Many callers, long histories ------------------------------------------------------------------------


@defect("C2")
class LosesConcurrentWrites(Memory):
    def apply_batch(self, items: Sequence[Intent]) -> None:
        rows = dict(self.rows)
        for item in items:
            self.write(rows, item)
        time.sleep(0.0001)
        self.rows = rows


@defect("C3")
class TearsValues(Memory):
    def apply_batch(self, items: Sequence[Intent]) -> None:
        with self.lock:
            rows = dict(self.rows)
            for item in items:
                self.write(rows, item)
            for item in items:
                if item.key in self.rows:
                    half = replace(self.rows[item.key], Note=item.value["Note"])
                    self.rows = {**self.rows, item.key: half}
                    time.sleep(0.0001)
            self.rows = rows


@defect("C4")
class ReadsWhileOthersWrite(Memory):
    def apply_batch(self, items: Sequence[Intent]) -> None:
        with self.lock:
            rows = dict(self.rows)
            for item in items:
                self.write(rows, item)
            for item in items:
                self.rows.pop(item.key, None)
                self.rows[item.key] = item.value
                time.sleep(0.0005)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        for row in super().read(key):
            time.sleep(0.0005)
            yield row


@defect("M1", said={"examples": 20, "steps": 6})
class StopsUpdatingAfterAWhile(Memory):
    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        if not item.is_new and len(rows) > 3:
            return
        super().write(rows, item)


# -- A storage that cannot be written to -----------------------------------------------------------------


@defect(
    "A5", operations=["GET"], key=[Field("Name", "text")], value=[Field("Text", "text")], said={"rows": ()}
)
class ShowsNoRow:
    def __init__(self, ctx: StorageContext) -> None:
        pass

    def get(self, key: Key) -> Value | None:
        return None

    def free(self) -> None:
        pass
