"""What an extension in Python pays for naming fields instead of holding keys."""

from __future__ import annotations

import timeit
from collections.abc import Iterator, Mapping, Sequence

from benchmarks._measure import Row, against
from statehold.extensions import Use
from statehold.extensions.python import compile_call
from statehold.loading import installed
from statehold.sdk import CallContext, Intent, Key, Operation, Scope, StorageError, Value
from statehold.state import State, Uses, compile_rows, compile_slot
from statehold_vsql import compile_app

CALLS = 20_000
INSERTS = 50

VSQL = """
APPLICATION bench();
STATESTORAGE ENGINE BUILTIN (
  STORAGE Stock (GET SCOPE(COMMANDS), INSERT SCOPE(COMMANDS))
  KEY (Shelf text NOT NULL, Name text NOT NULL) VALUE (Bags int32 NOT NULL) WITH PROVIDER=Ephemeral;
)
WORKSPACE ShopWS (
  DESCRIPTOR Shop ();
  EXTENSION ENGINE PYTHON (COMMAND Sell STATE(Stock) INTENTS(Stock););
);
"""


class Memory:
    """The cheapest storage there is: what is measured is the way to it."""

    def __init__(self) -> None:
        self.rows: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """Look the key up."""
        return self.rows.get(key)

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Take the value as it is."""
        return value

    def validate(self, items: Sequence[Intent]) -> None:
        """Refuse nothing."""

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Keep nothing."""

    def free(self) -> None:
        """Hold nothing."""


def _refuse(operation: Operation) -> StorageError:
    return StorageError(f"no {operation}")


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    packages: Mapping[str, dict[str, str]] = {
        path: dict(files) for path, files in installed().packages().items()
    }
    appdef = compile_app({**packages, "example/bench": {"bench.vsql": VSQL}}).appdef
    assert appdef is not None
    (extension,) = (each for each in appdef.extensions.values() if each.name.package == "bench")
    (storage,) = (each for name, each in appdef.storages.items() if name.package == "bench")
    schema = compile_rows("bench.Stock", storage.key or (), storage.value or ())
    allowed = frozenset({Operation.GET, Operation.INSERT})
    memory = Memory()
    memory.rows[schema.key(1, Shelf="top", Name="Assam")] = schema.value(Bags=5)
    uses = Uses("COMMAND bench.Sell", [compile_slot("bench.Stock", schema, memory, allowed, refuse=_refuse)])
    context = CallContext(scope=Scope.COMMANDS, workspace=1, extension="bench.Sell")
    call_class = compile_call(appdef, extension, [Use(storage="bench.Stock", rows=schema, allowed=allowed)])
    state = State(uses, context)
    scope = {
        "State": State,
        "Call": call_class,
        "uses": uses,
        "context": context,
        "state": state,
        "call": call_class(state),
        "key": schema.key,
        "n": "Assam",
        "all": range(INSERTS),
    }

    def seconds(statement: str, *, calls: int = CALLS, setup: str = "pass") -> float:
        return min(timeit.repeat(statement, setup, globals=scope, number=calls, repeat=3)) / calls

    yield against(
        "GET by fields of a typed call: call.Stock.get(Shelf=, Name=)",
        lambda: seconds("call.Stock.get(Shelf='top', Name=n)"),
        lambda: seconds("state.get(key(1, Shelf='top', Name=n))"),
        limit_name="state.get of a key that is made",
        bar=2.0,
    )
    fill = "s = State(uses, context)\nc = Call(s)\nfor i in all: "
    yield against(
        "INSERT by fields of a typed call, 50 in a call",
        lambda: (
            seconds(f"{fill}c.Stock.insert(Shelf='top', Name=n, Bags=i)", calls=CALLS // INSERTS) / INSERTS
        ),
        lambda: (
            seconds(f"{fill}s.new_value(key(1, Shelf='top', Name=n), Bags=i)", calls=CALLS // INSERTS)
            / INSERTS
        ),
        limit_name="state.new_value of a key that is made",
        bar=2.0,
    )
    yield against(
        "a call that is made and reads once",
        lambda: seconds("s = State(uses, context); Call(s).Stock.get(Shelf='top', Name=n)"),
        lambda: seconds("s = State(uses, context); s.get(key(1, Shelf='top', Name=n))"),
        limit_name="a state that is made and reads once",
        bar=3.0,
    )
