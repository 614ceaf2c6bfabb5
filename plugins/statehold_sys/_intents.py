from __future__ import annotations

from collections.abc import Mapping

from statehold.sdk import Key, Value, merge


class Inserts:
    """A storage that takes the values of INSERTs as they are."""

    __slots__ = ()

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value


class Updates(Inserts):
    """A storage that takes the values of UPDATEs, too, with their changes in them."""

    __slots__ = ()

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)
