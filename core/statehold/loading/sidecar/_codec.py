from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, cast

import msgspec
from msgspec.structs import astuple

from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._objects import Objects, packed
from statehold.sdk import UNSET, DataType, Field, Intent, Key, Value

Decode = Callable[[Any], Any]

_TYPES: Final[Mapping[DataType, type]] = {
    DataType.FLOAT32: float,
    DataType.FLOAT64: float,
    DataType.BOOL: bool,
    DataType.TEXT: str,
    DataType.QNAME: str,
    DataType.BYTES: bytes,
}


class Codec:
    """Turns the keys and values of one schema into arrays, in the order of their fields, and back.

    The host decodes by type, because nothing that comes from a sidecar is believed; a sidecar trusts
    its host.
    """

    def __init__(
        self,
        key: Sequence[Field],
        value: Sequence[Field],
        key_class: type[Key],
        value_class: type[Value],
        objects: Objects,
        *,
        prefix_class: type[Key] | None = None,
    ) -> None:
        keys = (Field("WSID", DataType.INT64, required=True), *key)
        self._fields = keys, tuple(value)
        self._objects = objects
        self.key_class = key_class
        self.value_class = value_class
        self.key_names: tuple[str, ...] = key_class.__struct_fields__
        self.value_names: tuple[str, ...] = value_class.__struct_fields__
        self.key = _packer(keys)
        self.value = _packer(value)
        self.to_key = _key_maker(keys, key_class, prefix_class or key_class)
        self.to_value: Callable[[Sequence[Any]], Value] = _maker(value, value_class)

    # Made at their first use: a sidecar needs none of them, and a host not those of what is not used.

    @cached_property
    def one(self) -> Decode:
        """Decodes the answer to GET."""
        return decoder(_array(self._fields[1], in_key=False) | None, self._objects)

    @cached_property
    def many(self) -> Decode:
        """Decodes the answer to GETBATCH."""
        value: Any = _array(self._fields[1], in_key=False) | None
        return decoder(list[value], self._objects)

    @cached_property
    def rows(self) -> Decode:
        """Decodes chunks of rows."""
        key, value = (_array(fields, in_key=not at) for at, fields in enumerate(self._fields))
        return decoder(list[tuple[key, value]], self._objects)  # type: ignore[valid-type]  # at run time

    def prefix(self, key: Key) -> Sequence[Any]:
        """Return the array of a key for READ: what is not given at its end is left out."""
        given = self.key(key)
        count = len(given)
        while count and given[count - 1] is UNSET:
            count -= 1
        return given[:count]

    def intents(self, items: Sequence[Intent]) -> list[tuple[Any, ...]]:
        """Return intents as arrays."""
        return [(self.key(one.key), self.value(one.value), one.is_new) for one in items]

    def to_intents(self, items: Sequence[Any]) -> list[Intent]:
        """Return the intents of arrays."""
        return [Intent(self.to_key(key), self.to_value(value), is_new) for key, value, is_new in items]

    def changes(self, changes: Mapping[str, object]) -> list[Any]:
        """Return changed fields as pairs of their place in the value and what they are to be."""
        return [(self.value_names.index(name), packed(value)) for name, value in changes.items()]

    def to_changes(self, pairs: Sequence[Any]) -> dict[str, object]:
        """Return changed fields by name."""
        names = self.value_names
        return {names[at]: tuple(to) if type(to) is list else to for at, to in pairs}


def decoder(result: Any, objects: Objects) -> Decode:
    """Return what decodes an answer whose result is of that type, or a Failure."""
    answer = msgspec.defstruct(
        "Answer",
        [
            ("kind", int),
            ("id", int),
            ("result", result | Failure | None, None),
            ("effects", list[tuple[str, Any]], []),
        ],
        array_like=True,
        gc=False,
    )
    return cast("Decode", msgspec.msgpack.Decoder(answer, ext_hook=objects.unpack).decode)


def _array(fields: Sequence[Field], *, in_key: bool) -> Any:
    types = [_type(field, in_key=in_key) for field in fields]
    return tuple[tuple(types)] if types else tuple[()]  # type: ignore[misc]  # made at run time


def _type(field: Field, *, in_key: bool) -> Any:
    kind: Any = Any if field.type is DataType.OBJECT else _TYPES.get(field.type, int)
    if field.repeated:
        return tuple[kind, ...]
    return kind if field.required and in_key else kind | None


def _packer(fields: Sequence[Field]) -> Callable[[Any], Sequence[Any]]:
    if not any(field.type is DataType.OBJECT for field in fields):
        return astuple
    objects = [field.type is DataType.OBJECT for field in fields]

    def pack(row: Any) -> Sequence[Any]:
        return [
            packed(list(one) if field.repeated else one) if is_object else one
            for one, is_object, field in zip(astuple(row), objects, fields, strict=True)
        ]

    return pack


def _maker(fields: Sequence[Field], kind: Any) -> Callable[[Sequence[Any]], Any]:
    many = [at for at, field in enumerate(fields) if field.repeated]
    if not many:
        return lambda given: kind(*given)

    def make(given: Sequence[Any]) -> Any:
        made = list(given)
        for at in many:
            if at < len(made):
                made[at] = tuple(made[at])
        return kind(*made)

    return make


def _key_maker(
    fields: Sequence[Field], whole: type[Key], prefix: type[Key]
) -> Callable[[Sequence[Any]], Key]:
    make_prefix, width = _maker(fields, prefix), len(fields)
    if not any(field.repeated for field in fields):
        return lambda given: (
            whole(*given) if len(given) == width else make_prefix([*given, *[UNSET] * (width - len(given))])
        )
    make = _maker(fields, whole)

    def made(given: Sequence[Any]) -> Key:
        missing = width - len(given)
        return cast("Key", make_prefix([*given, *[UNSET] * missing]) if missing else make(given))

    return made
