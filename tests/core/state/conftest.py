from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from statehold.sdk import (
    CallContext,
    Field,
    Intent,
    Key,
    Operation,
    Rank,
    Scope,
    ScopeError,
    StorageError,
    Value,
    merge,
)
from statehold.state import BundledState, CallCounts, Slot, State, Uses, compile_rows, compile_slot


class Memory:
    """Keeps rows, writes down what it is asked, and refuses on demand."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log
        self.rows: dict[Key, Value] = {}
        self.refuses = ""

    def tell(self, what: str) -> None:
        self.log.append(f"{self.name} {what}")
        if self.refuses == what.partition(" ")[0]:
            raise StorageError(f"{self.name} refuses to {what}")

    def get(self, key: Key) -> Value | None:
        self.tell("get")
        return self.rows.get(key)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        self.tell(f"get_batch {len(keys)}")
        return [self.rows.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        self.tell("read")
        return iter(list(self.rows.items()))

    def value_to_insert(self, key: Key, value: Value) -> Value:
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        self.tell(f"validate {len(items)}")

    def apply_batch(self, items: Sequence[Intent]) -> None:
        self.tell(f"apply {len(items)}")
        self.rows |= {item.key: item.value for item in items}

    def free(self) -> None: ...


class Bench:
    """Makes states over storages in memory; `log` is what the storages were asked."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.storages: dict[str, Memory] = {}
        self.slots: list[Slot] = []
        self.counts = CallCounts()
        self.call = CallContext(scope=Scope.COMMANDS, workspace=7, extension="t.Do")

    def add(
        self,
        name: str,
        *operations: Operation,
        entity: str | None = None,
        rank: Rank = Rank.STORAGE,
        impl: Any = None,
        streamed: bool = False,
    ) -> Memory:
        impl = self.storages.setdefault(name, impl or Memory(name, self.log))
        rows = compile_rows(
            name if entity is None else f"{name}({entity})",
            [Field("Id", "int64", required=True)],
            [Field("A", "int64"), Field("B", "text"), Field("sys.ID", "ref"), Field("O", "object")],
        )

        def refuse(operation: Operation) -> ScopeError:
            return ScopeError(
                f"the test may not {operation} {name}",
                storage=name,
                operation=operation,
                scope=None,
                who="the test",
            )

        slot = compile_slot(
            name,
            rows,
            impl,
            operations or Operation,
            refuse=refuse,
            entity=entity,
            counts=self.counts,
            rank=rank,
            streamed=streamed,
        )
        self.slots.append(slot)
        return impl

    def state(self, *, limit: int = 100) -> State:
        return State(Uses("COMMAND t.Do", self.slots), self.call, limit=limit)

    def bundled(
        self,
        *,
        limit: int = 100,
        bundle_limit: int = 100,
        commit: Callable[[], object] = lambda: None,
    ) -> BundledState:
        def flush(state: BundledState) -> None:
            state.stage()
            commit()
            state.settle()

        uses = Uses("PROJECTOR t.Fill", self.slots)
        return BundledState(uses, self.call, limit=limit, bundle_limit=bundle_limit, flush=flush)


@pytest.fixture
def bench() -> Bench:
    return Bench()
