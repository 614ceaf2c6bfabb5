from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from statehold.sdk import UNSET, Intent, Key, StorageContext, Value, fields, merge


class MemoryStorage:
    """Stands for a storage in a test: keeps the rows that it is given, and reads them by key."""

    def __init__(self, ctx: StorageContext) -> None:
        self.name = ctx.storage
        self.rows: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """Return the value under *key*, or None."""
        return self.rows.get(key)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        return [self.rows.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys start with the fields given in *key*."""
        wanted = {name: value for name, value in fields(key).items() if value is not UNSET}
        found = [row for row in self.rows if all(getattr(row, name) == wanted[name] for name in wanted)]
        for row in sorted(found, key=_order):
            yield row, self.rows[row]

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        """Do nothing: what fits the declaration can be kept."""

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Keep the rows."""
        self.rows.update((item.key, item.value) for item in items)

    def free(self) -> None:
        """Do nothing: there is nothing to give back."""


def _order(key: Key) -> list[tuple[bool, object]]:
    # A field that is NULL comes before all others.
    return [(value is not None, value) for value in fields(key).values()]
