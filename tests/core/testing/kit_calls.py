"""Storages of a view that ask for their call: a good one, and some with one defect each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from statehold.sdk import (
    CallContext,
    Field,
    Intent,
    IStateStorage,
    Key,
    Operation,
    Provider,
    Rank,
    Scope,
    StorageContext,
    Value,
    merge,
)

TURNOVER = """
WORKSPACE Restaurant (
    VIEW Turnover (Year int32 NOT NULL, Day int32 NOT NULL, Total money, PRIMARY KEY ((Year), Day))
        AS RESULT OF Fill;
    EXTENSION ENGINE BUILTIN (PROJECTOR Fill AFTER INSERT ON sys.CRecord INTENTS (sys.View(Turnover)));
);
"""


class Rows:
    """The view, as the unit of one call has it."""

    def __init__(self, call: CallContext) -> None:
        self.call, self.unit = call, call.unit

    def get(self, key: Key) -> Value | None:
        return self.unit.view(key)  # type: ignore[no-any-return]

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        return self.unit.views(keys)  # type: ignore[no-any-return]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        return self.unit.read_view(key)  # type: ignore[no-any-return]

    def value_to_insert(self, key: Key, value: Value) -> Value:
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        pass

    def apply_batch(self, items: Sequence[Intent]) -> None:
        for item in items:
            self.unit.put_view(item.key, item.value)

    def free(self) -> None:
        pass


class ReadsWhatIsCommitted(Rows):
    def __init__(self, call: CallContext) -> None:
        super().__init__(call)
        self.writes, self.unit = self.unit, self.unit.data.reader(self.unit.schemas)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        for item in items:
            self.writes.put_view(item.key, item.value)


class WritesPastTheUnit(Rows):
    def apply_batch(self, items: Sequence[Intent]) -> None:
        unit = self.unit.data.begin(self.unit.schemas)
        for item in items:
            unit.put_view(item.key, item.value)
        if items:
            unit.commit()


class AsksTheCallForTheWorkspace(Rows):
    def get(self, key: Key) -> Value | None:
        return super().get(msgspec.structs.replace(key, WSID=self.call.workspace))


class PerCall:
    def __init__(self, rows: type[Rows]) -> None:
        self.rows = rows

    def for_call(self, call: CallContext) -> IStateStorage:
        return self.rows(call)

    def free(self) -> None:
        pass


class KeepsTheLastCall(Rows):
    """Is what it was bound to last, for everybody."""

    def __init__(self) -> None:
        pass

    def for_call(self, call: CallContext) -> IStateStorage:
        super().__init__(call)
        return self


class KeepsTheCallItself:
    """Likewise, and has only that to show."""

    def __init__(self, ctx: StorageContext) -> None:
        self.value = ctx.value_class

    def for_call(self, call: CallContext) -> IStateStorage:
        self.call = call
        return self

    def get(self, key: Key) -> Value | None:
        return self.value(Workspace=self.call.workspace)

    def free(self) -> None:
        pass


def view(rows: type[Rows]) -> Provider:
    """Return a provider of storages of a view."""
    writers = frozenset({Scope.PROJECTORS, Scope.JOBS})
    everyone = frozenset(Scope)
    return Provider(
        name="Rows",
        open=lambda _: KeepsTheLastCall() if rows is KeepsTheLastCall else PerCall(rows),
        operations={
            Operation.GET: everyone,
            Operation.GETBATCH: everyone,
            Operation.READ: everyone,
            Operation.INSERT: writers,
            Operation.UPDATE: writers,
        },
        rank=Rank.ROWS,
    )


def where() -> Provider:
    """Return a provider of storages that say in which workspace they are used."""
    return Provider(
        name="Where",
        open=KeepsTheCallItself,
        operations=[Operation.GET],
        key=[],
        value=[Field("Workspace", "int64")],
    )
