from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from statehold.sdk import Intent, IStateStorage, Key, Value
from statehold.sdk import fields as fields_of
from statehold.state._slot import Slot


class ValueBuilder:
    """A change that is being asked for: what is put until it is applied is in it.

    Attributes:
        key: the row.
        is_new: whether it is an INSERT.

    """

    __slots__ = ("_built", "_existing", "_fields", "_impl", "_slot", "_value", "is_new", "key")

    def __init__(
        self, slot: Slot, impl: IStateStorage, key: Key, existing: Value | None, fields: Mapping[str, object]
    ) -> None:
        self.key = key
        self.is_new = existing is None
        self._slot = slot
        self._impl = impl
        self._existing = existing
        self._built: Intent | None = None
        # Of most new values all fields are given at once: then they are checked and put together in one step.
        self._value: Value | None = None
        if existing is None and slot.rows.required <= fields.keys():
            self._value = slot.rows.value(**fields)
            self._fields = fields
        else:
            self._fields = slot.rows.changes(fields)

    @classmethod
    def of(cls, slot: Slot, impl: IStateStorage, intent: Intent) -> Self:
        """Return a builder that builds *intent*."""
        existing = None if intent.is_new else intent.value
        builder = cls(slot, impl, intent.key, existing, {} if existing else fields_of(intent.value))
        builder._built = intent
        return builder

    @property
    def fields(self) -> Mapping[str, object]:
        """What was put, by attribute: the fields of a new value, or those that an UPDATE changes."""
        return MappingProxyType(self._taken())

    def put(self, **fields: object) -> None:
        """Set fields of the value; a SchemaError names what does not fit.

        A field that is put again has what was put last.
        """
        self._fields = {**self._taken(), **self._slot.rows.changes(fields)}
        self._built = self._value = None

    def build(self) -> Intent:
        """Return the intent as it stands now.

        Raises:
            SchemaError: a required field of a new value is missing.

        """
        built = self._built
        if built is None:
            slot = self._slot
            if self._existing is None:
                value = self._value or slot.rows.complete(self._fields)
                built = slot.insert(self._impl, self.key, value)
            else:
                built = slot.update(self._impl, self.key, self._existing, self._fields)
            self._built = built
        return built

    def _taken(self) -> Mapping[str, object]:
        value = self._value
        if value is None:
            return self._fields
        return {name: getattr(value, name) for name in self._slot.rows.attributes(self._fields)}

    def __repr__(self) -> str:
        return f"<{'INSERT' if self.is_new else 'UPDATE'} of {self.key!r}>"
