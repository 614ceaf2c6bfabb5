"""What enforcement costs on the path of a call."""

from __future__ import annotations

import timeit
from collections.abc import Iterator

from benchmarks._measure import Row, against, within
from statehold.sdk import Field, Key, Operation, StateholdError, Value
from statehold.state import CallCounts, compile_facade, compile_rows

CALLS = 100_000


class Memory:
    """The cheapest storage there is: what is measured is the way to it."""

    def __init__(self) -> None:
        self.rows: dict[object, Value] = {}

    def get(self, key: Key) -> Value | None:
        """Look the key up."""
        return self.rows.get(key)

    def free(self) -> None:
        """Hold nothing."""


def _refuse(operation: Operation) -> StateholdError:
    return StateholdError(f"no {operation}")


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    schema = compile_rows(
        "bench.Memory",
        [Field("Id", "int64", required=True), Field("Name", "text", required=True)],
        [Field("N", "int64")],
    )
    storage, key, value = Memory(), schema.key(1, Id=5, Name="five"), schema.value(N=1)
    storage.rows[key] = storage.rows[(1, 5, "five")] = value
    only_get = {Operation.GET}
    scope = {
        "storage": storage,
        "key": key,
        "plain": compile_facade(schema, storage, only_get, refuse=_refuse),
        "counted": compile_facade(schema, storage, only_get, refuse=_refuse, counts=CallCounts()),
        "timed": compile_facade(
            schema, storage, only_get, refuse=_refuse, counts=CallCounts(frozenset(only_get))
        ),
        "w": 1,
        "i": 5,
        "n": "five",
    }

    def seconds(statement: str) -> float:
        return min(timeit.repeat(statement, globals=scope, number=CALLS, repeat=3)) / CALLS

    direct = "the same method called directly"
    yield against(
        "GET through a facade",
        lambda: seconds("plain.get(key)"),
        lambda: seconds("storage.get(key)"),
        limit_name=direct,
        bar=1.25,
    )
    yield against(
        "GET through a facade with call counter",
        lambda: seconds("counted.get(key)"),
        lambda: seconds("storage.get(key)"),
        limit_name=direct,
        bar=2.2,
    )
    yield within(
        "what it costs to measure how long a GET takes",
        lambda: seconds("timed.get(key)") - seconds("counted.get(key)"),
        limit=400,
        unit="ns",
    )
    yield against(
        "typed key, enforcement and counter: find(WSID, Id=, Name=)",
        lambda: seconds("counted.find(w, Id=i, Name=n)"),
        lambda: seconds("storage.get((w, i, n))"),
        limit_name="direct call with a bare tuple",
        bar=4.0,
    )
