from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from statehold.sdk import UNSET, DataType, Field, SchemaError, Value

Refuse = Callable[[Field, str, object], SchemaError]

_INT_BITS: Final = {
    DataType.INT8: 8,
    DataType.INT16: 16,
    DataType.INT32: 32,
    DataType.INT64: 64,
    DataType.TIMESTAMP: 64,
    DataType.MONEY: 64,
}
_IDS: Final = (DataType.REF, DataType.BLOB)
_FLOAT32: Final = struct.Struct("<f")

PYTHON_TYPES: Final[dict[DataType, type]] = {
    **dict.fromkeys((*_INT_BITS, *_IDS), int),
    DataType.FLOAT32: float,
    DataType.FLOAT64: float,
    DataType.BOOL: bool,
    DataType.TEXT: str,
    DataType.QNAME: str,
    DataType.BYTES: bytes,
    DataType.OBJECT: object,
}


def int_range(data_type: DataType) -> tuple[int, int] | None:
    """Return the smallest and the largest int of a type, or None if it holds no int."""
    if data_type in _IDS:
        return 0, 2**63 - 1
    bits = _INT_BITS.get(data_type)
    return None if bits is None else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def needs_fix(field: Field, name: str, *, in_key: bool) -> str:
    """Return the source of a test that is false where the variable *name* holds a value as it must be.

    The test is fast and may be true for a good value; `fixer` then has the last word.
    """
    if field.repeated:
        return "True"
    if field.type in (DataType.FLOAT32, DataType.QNAME, DataType.OBJECT):
        return "True" if field.required else f"{name} is not None"
    bounds = int_range(field.type)
    if bounds is not None:
        test = f"_type({name}) is not _int or not {bounds[0]} <= {name} <= {bounds[1]}"
    elif field.type is DataType.BOOL:
        test = f"_type({name}) is not _bool"
    elif field.type is DataType.FLOAT64:
        test = f"_type({name}) is not _float" + (f" or {name} != {name}" if in_key else "")
    else:
        test = f"_type({name}) is not {'_str' if field.type is DataType.TEXT else '_bytes'}"
        if field.type is DataType.TEXT:
            test += f" or not {name}.isascii()"
        if field.max_length is not None:
            test += f" or _len({name}) > {field.max_length}"
    return test if field.required else f"{name} is not None and ({test})"


def fixer(field: Field, refuse: Refuse, *, in_key: bool) -> Callable[[object], object]:
    """Return a function that makes a value what the field holds, or raises what *refuse* returns.

    It widens ints to floats, rounds to float32, turns bytearray into bytes, subclasses into their
    plain type, and what is given for a repeated field into a tuple.
    """
    one = _fix_one(field, refuse, in_key=in_key)
    if field.repeated:

        def fix_all(value: object) -> object:
            if value is UNSET or value is None:
                if field.required:
                    raise refuse(field, f"at least one {field.type}", value)
                return ()
            many = value if isinstance(value, (list, tuple)) else (value,)
            if field.required and not many:
                raise refuse(field, f"at least one {field.type}", value)
            return tuple(map(one, many))

        return fix_all
    if field.required:

        def fix_required(value: object) -> object:
            if value is UNSET or value is None:
                raise refuse(field, f"{field.type} (the field is NOT NULL)", value)
            return one(value)

        return fix_required

    def fix(value: object) -> object:
        return None if value is None or value is UNSET else one(value)

    return fix


def _fix_one(field: Field, refuse: Refuse, *, in_key: bool) -> Callable[[object], Any]:
    bounds = int_range(field.type)
    if bounds is not None:
        return _int_fixer(field, refuse, *bounds)
    if field.type in (DataType.FLOAT32, DataType.FLOAT64):
        return _float_fixer(field, refuse, in_key=in_key)
    if field.type is DataType.BYTES:
        return _bytes_fixer(field, refuse)
    if field.type is DataType.BOOL:
        return _bool_fixer(field, refuse)
    if field.type is DataType.OBJECT:
        return _object_fixer(field, refuse)
    return _text_fixer(field, refuse)


def _int_fixer(field: Field, refuse: Refuse, low: int, high: int) -> Callable[[object], int]:
    def fix(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise refuse(field, f"{field.type}, an int from {low} to {high}", value)
        return int(value)

    return fix


def _float_fixer(field: Field, refuse: Refuse, *, in_key: bool) -> Callable[[object], float]:
    def fix(value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise refuse(field, f"{field.type}, a float", value)
        try:
            number = float(value)
            if field.type is DataType.FLOAT32:
                number = _FLOAT32.unpack(_FLOAT32.pack(number))[0]
        except OverflowError:
            raise refuse(field, f"{field.type}, a float of that size", value) from None
        if in_key and number != number:  # noqa: PLR0124 - NaN equals nothing, itself included
            raise refuse(field, f"{field.type} other than NaN, which no key can be found by", value)
        return number

    return fix


def _bytes_fixer(field: Field, refuse: Refuse) -> Callable[[object], bytes]:
    def fix(value: object) -> bytes:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise refuse(field, "bytes", value)
        data = bytes(value)
        if field.max_length is not None and len(data) > field.max_length:
            raise refuse(field, f"at most {field.max_length} bytes", value)
        return data

    return fix


def _bool_fixer(field: Field, refuse: Refuse) -> Callable[[object], bool]:
    def fix(value: object) -> bool:
        if not isinstance(value, bool):
            raise refuse(field, "bool, True or False", value)
        return value

    return fix


def _object_fixer(field: Field, refuse: Refuse) -> Callable[[object], object]:
    def fix(value: object) -> object:
        if not isinstance(value, (Value, Mapping, list, tuple)):
            raise refuse(field, "object, a value, a mapping or a list", value)
        return value

    return fix


def _text_fixer(field: Field, refuse: Refuse) -> Callable[[object], str]:
    def fix(value: object) -> str:
        if not isinstance(value, str):
            raise refuse(field, f"{field.type}, a str", value)
        text = str.__str__(value)
        if field.max_length is not None and len(text) > field.max_length:
            raise refuse(field, f"at most {field.max_length} characters", value)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise refuse(field, "text without lone surrogates", value) from None
        if field.type is DataType.QNAME and [*map(str.isidentifier, text.split("."))] != [True, True]:
            raise refuse(field, "qname, as `package.Name`", value)
        return text

    return fix
