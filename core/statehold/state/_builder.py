from __future__ import annotations

from collections.abc import Mapping

from statehold.sdk import Intent, Key, Value
from statehold.state._slot import Slot


class ValueBuilder:
    """A change that is being asked for: what is put until it is applied is in it.

    Attributes:
        key: the row.
        is_new: whether it is an INSERT.

    """

    __slots__ = ("_existing", "_fields", "_slot", "is_new", "key")

    def __init__(self, slot: Slot, key: Key, existing: Value | None, fields: Mapping[str, object]) -> None:
        self.key = key
        self.is_new = existing is None
        self._slot = slot
        self._existing = existing
        self._fields = slot.rows.changes(fields)

    def put(self, **fields: object) -> None:
        """Set fields of the value; a SchemaError names what does not fit.

        A field that is put again has what was put last.
        """
        self._fields.update(self._slot.rows.changes(fields))

    def build(self) -> Intent:
        """Return the intent as it stands now.

        Raises:
            SchemaError: a required field of a new value is missing.

        """
        if self._existing is None:
            return self._slot.facade.insert(self.key, self._fields)
        return self._slot.facade.update(self.key, self._existing, self._fields)

    def __repr__(self) -> str:
        return f"<{'INSERT' if self.is_new else 'UPDATE'} of {self.key!r}>"
