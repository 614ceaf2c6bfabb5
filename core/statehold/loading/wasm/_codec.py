"""The keys and values of a storage as arrays in the order of the module's fields, and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import attrs
import msgspec
from msgspec.structs import astuple

from statehold.loading.wasm._fields import field_type
from statehold.sdk import UNSET, DataType, Field, Key, StorageContext, Value

Decode = Callable[[bytes], Any]
Check = Callable[[Any], None]

_WSID: Final = Field("WSID", DataType.INT64, required=True)
_FLOAT32: Final = struct.Struct("<f")
_Cursor = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]

encode: Final = msgspec.msgpack.Encoder().encode
#: What is no more than done, or refused.
words: Final[Decode] = msgspec.msgpack.Decoder(str).decode
cursor: Final[Decode] = msgspec.msgpack.Decoder(_Cursor | str).decode


@attrs.frozen(kw_only=True, eq=False)
class Codec:
    """What a module is given and answers; what it answers is decoded by type, and is not believed.

    Attributes:
        key_fields: the fields of KEY.
        value_fields: the fields of VALUE, in the module's order.
        key: the array of a key.
        value: the array of a value.
        to_key: the key of an array.
        to_value: the value of an array.
        one: decodes one value or nothing, or a refusal.
        many: decodes values, or a refusal.
        rows: decodes pairs of keys and values, or a refusal.

    """

    key_fields: tuple[Field, ...]
    value_fields: tuple[Field, ...]
    key: Callable[[Key], Sequence[Any]]
    value: Callable[[Value], Sequence[Any]]
    to_key: Callable[[Sequence[Any]], Key]
    to_value: Callable[[Sequence[Any]], Value]
    one: Decode
    many: Decode
    rows: Decode

    def prefix(self, key: Key) -> tuple[Any, ...]:
        """Return the array of a key for READ: what is not given at its end is left out."""
        given = astuple(key)
        count = len(given)
        while count and given[count - 1] is UNSET:
            count -= 1
        return given[:count]


def compile_codec(value_names: Sequence[str], ctx: StorageContext) -> Codec:
    """Return the codec of a storage whose module has the fields of VALUE in that order."""
    declared = {field.name: at for at, field in enumerate(ctx.value_fields)}
    order = [declared[name] for name in value_names]
    fields = tuple(ctx.value_fields[at] for at in order)
    keys = (_WSID, *ctx.key)
    key_type, value_type = _array(keys), _array(fields)
    check_key, check_value = _checker(keys), _checker(fields)
    return Codec(
        key_fields=ctx.key,
        value_fields=fields,
        key=astuple,
        value=_packer(order),
        to_key=_maker(ctx.key_class, [*range(len(keys))]),
        to_value=_maker(ctx.value_class, order),
        one=_decoder(value_type, check_value),
        many=_decoder(list[value_type | None], _each(check_value)),  # type: ignore[valid-type]  # made at run time
        rows=_decoder(list[tuple[key_type, value_type]], _both(check_key, check_value)),  # type: ignore[valid-type]
    )


def _decoder(kind: Any, check: Check | None) -> Decode:
    decode: Decode = msgspec.msgpack.Decoder(kind | str).decode
    if check is None:
        return decode

    def checked(answer: bytes) -> Any:
        found = decode(answer)
        if found.__class__ is not str:
            check(found)
        return found

    return checked


def _checker(fields: Sequence[Field]) -> Check | None:
    """Return what raises ValueError for a row that its types have let pass; None where they let none."""
    singles = [at for at, field in enumerate(fields) if field.type is DataType.FLOAT32]
    if not singles:
        return None

    def check(row: Any) -> None:
        for at in singles:
            if row[at] is not None and not _is_single(row[at]):
                raise ValueError(f"{fields[at].name} is {row[at]}, which is no float32")

    return check


def _each(check: Check | None) -> Check | None:
    if check is None:
        return None

    def check_all(rows: Any) -> None:
        for row in rows:
            if row is not None:
                check(row)

    return check_all


def _both(check_key: Check | None, check_value: Check | None) -> Check | None:
    checks = [(at, check) for at, check in enumerate((check_key, check_value)) if check is not None]
    if not checks:
        return None

    def check_all(rows: Any) -> None:
        for row in rows:
            for at, check in checks:
                check(row[at])

    return check_all


def _array(fields: Sequence[Field]) -> Any:
    types = [_type(field) for field in fields]
    return tuple[tuple(types)] if types else tuple[()]  # type: ignore[misc]  # made at run time


def _type(field: Field) -> Any:
    kind = field_type(field)
    return kind if field.required else kind | None


def _packer(order: list[int]) -> Callable[[Value], Sequence[Any]]:
    if order == [*range(len(order))]:
        return astuple

    def pack(value: Value) -> Sequence[Any]:
        given = astuple(value)
        return [given[at] for at in order]

    return pack


def _maker(kind: Any, order: list[int]) -> Callable[[Sequence[Any]], Any]:
    places = sorted(range(len(order)), key=order.__getitem__)
    if places == order:
        return lambda given: kind(*given)
    return lambda given: kind(*[given[at] for at in places])


def _is_single(number: float) -> bool:
    try:
        return math.isnan(number) or bool(_FLOAT32.unpack(_FLOAT32.pack(number))[0] == number)
    except OverflowError:
        return False
