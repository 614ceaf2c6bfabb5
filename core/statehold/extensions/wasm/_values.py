"""What a guest reads: fields of keys and values, by the types it asks for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from statehold.extensions.wasm._errors import GuestError
from statehold.extensions.wasm._memory import Memory
from statehold.extensions.wasm._packages import Packages
from statehold.sdk import UNSET, Key, SchemaError, Value

_FLOAT32: Final = struct.Struct("<f")


class MismatchError(Exception):
    """A value is not what it was read as; the text says what was expected."""


class Fields:
    """Finds the fields of rows by the names that guests use; learns each class of rows once."""

    def __init__(self) -> None:
        self._attributes: dict[type, dict[bytes, str]] = {}

    def get(self, row: Any, name: bytes) -> Any:
        """Return the field of *row* called *name*."""
        attributes = self._attributes.get(row.__class__)
        if attributes is not None and name in attributes:
            return getattr(row, attributes[name])
        return self._find(row, name)

    def _find(self, row: Any, name: bytes) -> Any:
        if row is None:
            raise GuestError("it uses a row of a READ after the READ has gone on")
        text = name.decode(errors="backslashreplace")
        if isinstance(row, Value | Key):
            attributes = self._attributes.setdefault(type(row), _attributes(row))
            if name in attributes:
                return getattr(row, attributes[name])
            known = ", ".join(row.__struct_fields__)
        elif isinstance(row, Mapping):
            if text in row:
                return row[text]
            known = ", ".join(map(str, row))
        else:
            raise _misread(row, text, "a value with fields", "Elements of a list are read by their index")
        raise SchemaError(
            f"{_kind(row)} has no field {text!r}",
            storage=_kind(row),
            field=text,
            expected=f"one of {known or 'no fields'}",
            got=text,
            hint=f"It has: {known or 'no fields'}",
        )


def element(row: Any, index: int) -> Any:
    """Return one element of a list."""
    if not is_list(row):
        raise _misread(row, f"[{index}]", "a list", "Fields of a value are read by their names")
    if index >= len(row):
        raise SchemaError(
            f"element {index} was asked for of a list of {len(row)}",
            storage="",
            field=f"[{index}]",
            expected=f"an index below {len(row)}",
            got=index,
        )
    return row[index]


def is_list(value: object) -> bool:
    """Return whether *value* has elements."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def nested(value: object) -> object:
    """Return *value* if it has fields or elements of its own."""
    if isinstance(value, Value | Mapping) or is_list(value):
        return value
    raise MismatchError("a value with fields or a list")


def mismatch(row: object, field: str, value: object, expected: str) -> SchemaError:
    """Return the error for a field, or an element, that was read as something else."""
    # Its type, not the value: nobody knows here whether that is a secret.
    got = "not set" if value is None else f"a {_kind(value)}"
    return SchemaError(
        f"{_kind(row)}: {field} is {got}, and was read as {expected}",
        storage=_kind(row),
        field=field,
        expected=expected,
        got=_kind(value),
    )


def converters(memory: Memory, packages: Packages) -> dict[str, Callable[[Any], Any]]:
    """Return what makes a value each kind of `READS` but Value; what is not set is the kind's zero."""
    give = memory.give

    def data(value: Any) -> int:
        if isinstance(value, str):
            return give(value.encode())
        if isinstance(value, tuple | list) and all(isinstance(each, str) for each in value):
            # What Voedger has as lines, such as the headers of an HTTP answer.
            return give("\n".join(value).encode())
        if isinstance(value, bytes | bytearray | memoryview):
            return give(bytes(value))
        if value is None or value is UNSET:
            return 0
        raise MismatchError("a text or bytes")

    def qname(value: Any) -> tuple[str, str]:
        if value is None or value is UNSET:
            return "", ""
        if not isinstance(value, str):
            raise MismatchError("a qualified name")
        package, _, entity = value.rpartition(".")
        return package, entity

    return {
        "String": data,
        "Bytes": data,
        "QNamePkg": lambda value: give(packages.path(qname(value)[0]).encode()),
        "QNameEntity": lambda value: give(qname(value)[1].encode()),
        "Bool": _bool,
        "Int32": _integer(32),
        "Int64": _integer(64),
        "Float32": _single,
        "Float64": _double,
    }


def _bool(value: Any) -> int:
    if value is True:
        return 1
    if value is False or value is None or value is UNSET:
        return 0
    raise MismatchError("a bool")


def _integer(bits: int) -> Callable[[Any], int]:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def read(value: Any) -> int:
        if isinstance(value, int) and value is not True and value is not False:
            if low <= value <= high:
                return value
            raise MismatchError(f"an int of {bits} bits, which it does not fit")
        if value is None or value is UNSET:
            return 0
        raise MismatchError(f"an int of {bits} bits")

    return read


def _double(value: Any) -> float:
    if isinstance(value, float):
        return value
    if value is None or value is UNSET:
        return 0.0
    if isinstance(value, int) and not isinstance(value, bool):
        # A number of JSON without a point is a float where a float is asked for.
        return float(value)
    raise MismatchError("a float")


def _single(value: Any) -> float:
    number = _double(value)
    try:
        _FLOAT32.pack(number)
    except OverflowError:
        raise MismatchError("a float of 32 bits, which it does not fit") from None
    return number


def _attributes(row: Key | Value) -> dict[bytes, str]:
    found = {}
    for name in row.__struct_fields__:
        found[name.encode()] = name
        if name.startswith("sys_"):
            found[f"sys.{name[4:]}".encode()] = name
    if len(row.__struct_fields__) == 1:
        # Voedger's guests read the only thing that a secret has by no name.
        found[b""] = row.__struct_fields__[0]
    return found


def _misread(row: object, field: str, expected: str, hint: str) -> SchemaError:
    return SchemaError(
        f"{field} was asked for of a {_kind(row)}, which is not {expected}",
        storage=_kind(row),
        field=field,
        expected=expected,
        got=_kind(row),
        hint=hint,
    )


def _kind(value: object) -> str:
    return type(value).__name__
