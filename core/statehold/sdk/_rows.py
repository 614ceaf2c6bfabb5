from __future__ import annotations

import keyword
from collections.abc import Mapping

import msgspec


class Key(msgspec.Struct, frozen=True, gc=False):
    """Says which row of a storage is meant: the workspace, and one attribute per field of KEY.

    A key is hashable, compares by storage and content, and has been checked against the schema
    before a storage sees it. In a key for READ, the trailing fields that were not given are `UNSET`.
    A field whose name Python has taken is read as `key.class_` or `key["class"]`, one of the system as
    `key.sys_ID` or `key["sys.ID"]`.
    """

    WSID: int

    def __getitem__(self, name: str) -> object:
        """Return the field called *name*."""
        return _field(self, name)


class Value(msgspec.Struct, frozen=True):
    """What a storage holds under a key: one attribute per field of VALUE, None where not set.

    Make one with the context's `value(Reading=1.5)`, which checks it against the schema.
    """

    def __getitem__(self, name: str) -> object:
        """Return the field called *name*."""
        return _field(self, name)


class Intent(msgspec.Struct, frozen=True):
    """A change that an extension asks for: *value* is to stand under *key*.

    `is_new` tells an INSERT from an UPDATE. Both write the whole value.
    """

    key: Key
    value: Value
    is_new: bool


def fields(row: Key | Value) -> dict[str, object]:
    """Return the fields of a key or a value as a new dict; of a key, with its `WSID`."""
    return {name: getattr(row, name) for name in row.__struct_fields__}


def merge(existing: Value, changes: Mapping[str, object]) -> Value:
    """Return *existing* with *changes* laid over it: what most storages store for an UPDATE."""
    return msgspec.structs.replace(existing, **changes)


def _field(row: Key | Value, name: str) -> object:
    attribute = name.replace(".", "_")
    if attribute not in row.__struct_fields__ and keyword.iskeyword(name):
        attribute = f"{name}_"
    if attribute not in row.__struct_fields__:
        raise KeyError(
            f"{type(row).__name__} has no field {name!r}; it has {', '.join(row.__struct_fields__)}"
        )
    return getattr(row, attribute)
