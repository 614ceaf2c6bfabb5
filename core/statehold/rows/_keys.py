"""Keys as bytes that sort as the keys do; `docs/row-store.md` has the format byte by byte."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from statehold.rows._errors import RowKeyError

Column: TypeAlias = bool | int | float | str | bytes | None
Columns: TypeAlias = tuple[Column, ...]

#: The longest key, partition and clustering columns together, encoded: what PostgreSQL's index can hold.
MAX_KEY: Final = 2560

_NONE, _FALSE, _TRUE = b"\x01", b"\x02", b"\x03"
_ZERO = 0x18
_FLOAT, _STR, _BYTES = 0x21, 0x22, 0x23
_END, _ESCAPED = b"\x00\x01", b"\x00\xff"
_INT_TAGS: Final = tuple(bytes([tag]) for tag in range(_ZERO + 9))
_PACK_FLOAT = struct.Struct(">cQ").pack
_BITS = struct.Struct(">Q")
_DOUBLE = struct.Struct(">d")
_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1


def encode(columns: Columns) -> bytes:
    """Return *columns* as bytes that sort as the columns do, one after the other.

    The bytes of a tuple begin with those of every shorter tuple it begins with, and of no other tuple.

    Raises:
        RowKeyError: a column is of no type that a key may have, not a number, or out of range.

    """
    try:
        if len(columns) == 1:
            column = columns[0]
            if type(column) is int and 0 <= column <= _ALL:
                # What most keys are: ids and offsets, without a call.
                size = (column.bit_length() + 7) >> 3
                return _INT_TAGS[_ZERO + size] + column.to_bytes(size, "big")
            return _ENCODERS[type(columns[0])](columns[0])
        return b"".join([_ENCODERS[type(column)](column) for column in columns])
    except KeyError:
        return b"".join([_encoder(column)(column) for column in columns])


def decode(data: bytes) -> Columns:
    """Return the columns that `encode` made *data* of.

    Raises:
        RowKeyError: *data* is not the encoding of a key.

    """
    columns: list[Column] = []
    at = 0
    try:
        while at < len(data):
            column, at = _decode_one(data, at)
            columns.append(column)
    except (IndexError, ValueError, struct.error) as error:
        raise RowKeyError(f"expected the bytes of a key, got {data[:40]!r} (byte {at})") from error
    return tuple(columns)


def _encode_int(number: int) -> bytes:
    if number >= 0:
        size = (number.bit_length() + 7) >> 3
        if size <= 8:
            return _INT_TAGS[_ZERO + size] + number.to_bytes(size, "big")
    else:
        size = ((-number).bit_length() + 7) >> 3
        if size <= 8:
            return _INT_TAGS[_ZERO - size] + (number + (1 << 8 * size) - 1).to_bytes(size, "big")
    raise RowKeyError(
        f"expected an int of less than 64 bits and a sign, got one of {number.bit_length()} bits"
    )


def _encode_float(number: float) -> bytes:
    if math.isnan(number):
        raise RowKeyError("expected a float that has an order, got nan")
    # `+ 0.0` makes one key of 0.0 and -0.0, which are equal.
    (bits,) = _BITS.unpack(_DOUBLE.pack(number + 0.0))
    return _PACK_FLOAT(b"\x21", bits ^ _ALL if bits & _SIGN else bits | _SIGN)


def _encode_str(text: str) -> bytes:
    # Surrogates pass, so that every str is a key; in UTF-8 they sort where their code points do.
    return b"\x22" + text.encode("utf-8", "surrogatepass").replace(b"\x00", _ESCAPED) + _END


def _encode_bytes(data: bytes) -> bytes:
    return b"\x23" + data.replace(b"\x00", _ESCAPED) + _END


def _encode_bool(value: bool) -> bytes:  # noqa: FBT001 - a column, no option
    return _TRUE if value else _FALSE


def _encode_none(_: None) -> bytes:
    return _NONE


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): _encode_none,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    str: _encode_str,
    bytes: _encode_bytes,
}


def _encoder(column: object) -> Callable[[Any], bytes]:
    """Return the encoder of *column*, which may be of a subclass, such as a `StrEnum`."""
    for kind, encoder in _ENCODERS.items():
        if isinstance(column, kind):
            return encoder
    raise RowKeyError(
        f"expected a column of None, bool, int, float, str or bytes, got {type(column).__name__}",
        hint="bytearray and memoryview: bytes(...); other types: choose the order yourself",
    )


def _decode_one(data: bytes, at: int) -> tuple[Column, int]:
    tag = data[at]
    at += 1
    if _ZERO - 8 <= tag <= _ZERO + 8:
        size = abs(tag - _ZERO)
        if len(data) < at + size:
            raise IndexError(at)
        number = int.from_bytes(data[at : at + size], "big")
        return (number if tag >= _ZERO else number - (1 << 8 * size) + 1), at + size
    if tag == _STR:
        text, at = _decode_escaped(data, at)
        return text.decode("utf-8", "surrogatepass"), at
    if tag == _BYTES:
        return _decode_escaped(data, at)
    if tag == _FLOAT:
        (bits,) = _BITS.unpack_from(data, at)
        (real,) = _DOUBLE.unpack(_BITS.pack(bits & ~_SIGN if bits & _SIGN else bits ^ _ALL))
        return real, at + 8
    constants: dict[int, Column] = {1: None, 2: False, 3: True}
    if tag in constants:
        return constants[tag], at
    raise ValueError(tag)


def _decode_escaped(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.index(_END, at)
    # In an encoded text every NUL is followed by 0xFF, so the first 0x00 0x01 is the end.
    return data[at:end].replace(_ESCAPED, b"\x00"), end + 2
