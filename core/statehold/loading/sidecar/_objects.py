"""Values without a schema, as they travel: what a field of type `object` holds, arguments, events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any, Final

import msgspec
from msgspec.msgpack import Ext

from statehold.loading.sidecar._kinds import RECORD, TUPLE
from statehold.sdk import Secret, Value

_MOST_CLASSES: Final = 4096
#: Characters in the names of records and of their fields, of all classes together.
_MOST_NAMES: Final = 1 << 20


def packed(value: object) -> Any:
    """Return *value* as msgpack knows it: records and tuples, at any depth, become extension types."""
    if isinstance(value, msgspec.Struct):
        names = list(value.__struct_encode_fields__)
        values = [packed(getattr(value, name)) for name in value.__struct_fields__]
        return Ext(RECORD, _encode([type(value).__name__, names, values]))
    if isinstance(value, tuple):
        return Ext(TUPLE, _encode([packed(one) for one in value]))
    if isinstance(value, Mapping):
        return {name: packed(one) for name, one in value.items()}
    if isinstance(value, (list, frozenset, set)):
        return [packed(one) for one in value]
    if isinstance(value, Secret):
        return value.reveal()
    return value


class Objects:
    """Makes records and tuples of extension types; knows each class of records by its name and fields."""

    def __init__(self) -> None:
        self._classes: dict[tuple[str, ...], type[Value]] = {}
        self._names = 0
        self.decode: Callable[[Any], Any] = msgspec.msgpack.Decoder(ext_hook=self.unpack).decode

    def unpack(self, code: int, data: memoryview) -> object:
        """Return what an extension type holds."""
        if code == TUPLE:
            return tuple(self.decode(data))
        if code != RECORD:
            raise ValueError(f"unknown extension type {code}")
        name, fields, values = self.decode(data)
        kind = self._classes.get((name, *fields)) or self._class(name, fields)
        return kind(*values)

    def _class(self, name: str, fields: list[str]) -> type[Value]:
        if len(self._classes) >= _MOST_CLASSES:
            raise ValueError(f"more than {_MOST_CLASSES} kinds of records")
        self._names += len(name) + sum(len(field) + 1 for field in fields)
        if self._names > _MOST_NAMES:
            raise ValueError(f"kinds of records with names of more than {_MOST_NAMES} characters")
        attributes = [_attribute(field) for field in fields]
        if not all(attribute.isidentifier() for attribute in attributes):
            raise ValueError(f"{fields!r} are no names of fields")
        made: Any = msgspec.defstruct(
            name,
            [(attribute, Any, None) for attribute in attributes],
            bases=(Value,),
            frozen=True,
            rename=dict(zip(attributes, fields, strict=True)),
            omit_defaults=True,
        )
        kind: type[Value] = self._classes.setdefault((name, *fields), made)
        return kind


def _attribute(field: str) -> str:
    return f"{field}_" if iskeyword(field) else field.replace(".", "_")


_encode: Final = msgspec.msgpack.Encoder().encode
