"""A storage that keeps every promise, to show the kit and to be broken on purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from statehold.sdk import (
    UNSET,
    Field,
    Intent,
    Key,
    Operation,
    Provider,
    StorageContext,
    StorageError,
    Value,
    fields,
    merge,
)

KEY = (Field("Device", "text", required=True), Field("Point", "text"), Field("Number", "int32"))
VALUE = (
    Field("Reading", "float64"),
    Field("Small", "float32"),
    Field("At", "int64", required=True),
    Field("Tiny", "int8"),
    Field("On", "bool"),
    Field("Note", "text"),
    Field("Short", "text", max_length=10),
    Field("Raw", "bytes"),
    Field("Kind", "qname"),
    Field("Tags", "text", repeated=True),
)
ROWS = [
    ({"Device": "d1", "Point": "p1", "Number": 1}, {"Reading": 1.5, "At": 1}),
    ({"Device": "d1", "Point": "p2", "Number": 1}, {"Reading": 2.5, "At": 2, "Tags": ("a", "b")}),
]


class Memory:
    """Rows in a dict that is replaced as a whole by every batch."""

    def __init__(self, ctx: StorageContext) -> None:
        self.ctx = ctx
        self.rows: dict[Key, Value] = {}
        self.lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        return self.rows.get(key)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        return [self.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        wanted = {name: one for name, one in fields(key).items() if one is not UNSET}
        for found, value in self.rows.items():
            if all(found[name] == one for name, one in wanted.items()):
                yield found, value

    def value_to_insert(self, key: Key, value: Value) -> Value:
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        for item in items:
            if item.key["Device"] == "refused":
                raise StorageError(f"{self.ctx.storage}: no device is called 'refused'")

    def apply_batch(self, items: Sequence[Intent]) -> None:
        with self.lock:
            rows = dict(self.rows)
            for item in items:
                self.write(rows, item)
            self.rows = rows

    def write(self, rows: dict[Key, Value], item: Intent) -> None:
        if item.key["Device"] == "refused":
            raise StorageError(f"{self.ctx.storage}: no device is called 'refused'")
        repr(item.value)  # as one that makes bytes of a value would look at all of it
        rows[item.key] = item.value

    def free(self) -> None:
        self.rows = {}


def provider(storage: type = Memory, **changes: object) -> Provider:
    """Return a provider of *storage*, in which *changes* replace what is said otherwise."""
    said: dict[str, object] = {"name": "Memory", "operations": list(Operation), "key": KEY, "value": VALUE}
    return Provider(open=storage, **{**said, **changes})  # type: ignore[arg-type]
