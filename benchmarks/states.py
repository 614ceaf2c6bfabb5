"""What the state of a call costs: making it, reading through it, and asking for a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks._measure import Row, against, per_call, within
from statehold.sdk import CallContext, Field, Intent, Key, Operation, Rank, Scope, StorageError, Value
from statehold.state import CallCounts, State, Uses, compile_rows, compile_slot

CALLS = 20_000


class Memory:
    """Finds nothing and keeps nothing: what is measured is the way to it."""

    def get(self, key: Key) -> Value | None:  # noqa: ARG002
        """Find nothing."""
        return None

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Take the value as it is."""
        return value

    def validate(self, items: Sequence[Intent]) -> None:
        """Refuse nothing."""

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Keep nothing."""

    def free(self) -> None:
        """Hold nothing."""


class PerCall:
    """Makes a storage for each call, as those of records and views do."""

    def for_call(self, call: CallContext) -> Memory:  # noqa: ARG002
        """Return what the call sees."""
        return Memory()

    def free(self) -> None:
        """Hold nothing."""


def _refuse(operation: Operation) -> StorageError:
    return StorageError(f"no {operation}")


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    plain = compile_rows("bench.Plain", [Field("Id", "int64", required=True)], [Field("N", "int64")])
    bound = compile_rows("bench.Bound", plain.key_fields, [Field("N", "int64"), Field("Name", "text")])
    memory, counts, all_of_them = Memory(), CallCounts(), tuple(Operation)
    uses = Uses(
        "COMMAND bench.Do",
        [
            compile_slot("bench.Plain", plain, memory, all_of_them, refuse=_refuse, counts=counts),
            compile_slot(
                "bench.Bound", bound, PerCall(), all_of_them, refuse=_refuse, counts=counts, rank=Rank.ROWS
            ),
        ],
    )
    call = CallContext(scope=Scope.COMMANDS, workspace=1, extension="bench.Do")
    state, key, bound_key = State(uses, call), plain.key(1, Id=5), bound.key(1, Id=5)

    def seconds(run: Callable[[], object]) -> Callable[[], float]:
        return lambda: per_call(run, calls=CALLS)

    def change() -> None:
        asking = State(uses, call)
        asking.new_value(bound_key, N=1, Name="five")
        asking.stage()

    yield within("make a state", seconds(lambda: State(uses, call)), limit=2, unit="us")
    yield against(
        "make a state, bind a storage to the call and GET",
        seconds(lambda: State(uses, call).get(bound_key)),
        seconds(lambda: memory.get(key)),
        limit_name="direct call of the same method",
        bar=20,
    )
    yield against(
        "GET through a state, checked and counted",
        seconds(lambda: state.get(key)),
        seconds(lambda: memory.get(key)),
        limit_name="direct call of the same method",
        bar=6,
    )
    yield within("ask for a change of two fields and stage it", seconds(change), limit=10, unit="us")
