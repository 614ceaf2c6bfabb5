"""What it costs to hold a projector's changes back and write them in one bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks._measure import Row, against, timed, within
from statehold.sdk import CallContext, Field, Intent, Key, Operation, Scope, StorageError, Value
from statehold.state import BundledState, Uses, compile_rows, compile_slot

KEYS = 5_000
BAR_MS = 50


class Sink:
    """Takes what it is given: what is measured is the way to it."""

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Take the value as it is."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Take what was there."""
        return existing

    def validate(self, items: Sequence[Intent]) -> None:
        """Refuse nothing."""

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Keep nothing."""

    def free(self) -> None:
        """Hold nothing."""


def _refuse(operation: Operation) -> StorageError:
    return StorageError(f"no {operation}")


def _flush(state: BundledState) -> None:
    state.stage()
    state.settle()


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    schema = compile_rows("bench.Sink", [Field("Id", "int64", required=True)], [Field("N", "int64")])
    slot = compile_slot("bench.Sink", schema, Sink(), {Operation.INSERT}, refuse=_refuse)
    uses = Uses("PROJECTOR bench.Fill", [slot])
    call = CallContext(scope=Scope.PROJECTORS, workspace=1, extension="bench.Fill")

    def fill_and_flush(keys: int) -> None:
        state = BundledState(uses, call, limit=1, bundle_limit=keys, flush=_flush)
        for number in range(keys):
            state.new_value(state.key("bench.Sink", Id=number), N=number)
            state.apply_intents()
        assert state.is_full
        state.flush()

    yield within(
        f"bundle fill and flush of {KEYS:,} keys, an event each",
        lambda: timed(lambda: fill_and_flush(KEYS)),
        limit=BAR_MS,
        unit="ms",
    )
    yield against(
        f"the same per key / per key of {KEYS // 10:,}",
        lambda: timed(lambda: fill_and_flush(KEYS)) / KEYS,
        lambda: timed(lambda: fill_and_flush(KEYS // 10)) / (KEYS // 10),
        limit_name="a tenth of the keys",
        bar=1.5,
        unit="us",
    )
