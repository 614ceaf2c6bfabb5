"""Values that fit a field: plain ones that any storage takes, and those at the bounds of its type."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Final

from statehold.sdk import DataType, Field
from statehold.state import int_range

TEXTS: Final = (
    "",
    " ",
    "a",
    "A",
    "a ",
    "0",
    "1.0",
    "true",
    "NULL",
    "\t\r\n",
    "'\"`\\;--%_*?[]{}$<>&",
    "\x00",
    "a\x00b",
    "\x7f\x80\xa0\xad",
    "\u00e9",
    "e\u0301",
    "\u0639\u0631\u0628\u064a\u200f",
    "\u65e5\u672c\u8a9e",
    "\ufeffmark",
    "\U0001d11e",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ufffd\uffff\U0010ffff",
)
OBJECTS: Final[Sequence[object]] = (
    {},
    [],
    {"Name": "a", "Id": 2**53 + 1},
    {"Rows": [{"On": None}, {"On": False}], "": {"x": 0.5}},
)
BLOBS: Final = (b"", b"\x00", b"a", b"\xff\xfe", bytes(range(256)), b"'; --")
_FLOAT32_MAX: Final = 3.4028234663852886e38
_FLOATS: Final = {
    DataType.FLOAT32: (0.0, 0.5, -1.5, 16777216.0, _FLOAT32_MAX, -_FLOAT32_MAX, 2.0**-149),
    DataType.FLOAT64: (0.0, 0.1, -1.5, 2.0**53 + 2, 1.7976931348623157e308, -1.7976931348623157e308, 5e-324),
}
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def bounds(field: Field) -> tuple[object, ...]:
    """Return the values at the bounds of what *field* holds, None among them where it may be NULL."""
    ones = tuple(value for value in _bounds(field) if _fits(field, value))
    if field.repeated:
        return (*(() if field.required else ((),)), *((one,) for one in ones), ones)
    return ones if field.required else (None, *ones)


def large(field: Field, size: int) -> object:
    """Return a text or bytes of *size*, or of the field's maximum if that is less, that repeats nothing."""
    length = size if field.max_length is None else min(size, field.max_length)
    if field.type is DataType.BYTES:
        one: object = b"".join(n.to_bytes(4, "big") for n in range(length // 4 + 1))[:length]
    else:
        text = "".join(f"{n:x}\u00e9\U0001f600," for n in range(length // 4 + 1))
        one = text[:length]
    return (one,) if field.repeated else one


def plain(field: Field, number: int) -> object:
    """Return the *number*th plain value of a field; they repeat where the type has fewer."""
    bound = int_range(field.type)
    one: object
    if bound is not None:
        one = number % (bound[1] + 1)
    elif field.type is DataType.BOOL:
        one = bool(number % 2)
    elif field.type in (DataType.FLOAT32, DataType.FLOAT64):
        one = number % 2**20 + 0.5
    elif field.type is DataType.QNAME:
        one = f"test.N{number}"
    elif field.type is DataType.OBJECT:
        one = {"Number": number}
    else:
        # Two letters only where there is room, so that some texts begin with others.
        room = field.max_length is None or field.max_length >= 16
        text = _letters(number, "ab" if room else LETTERS)[: field.max_length]
        one = text.encode() if field.type is DataType.BYTES else text
    return (one,) if field.repeated else one


def plain_keys(fields: Sequence[Field], count: int) -> Iterator[dict[str, object]]:
    """Yield up to *count* different keys, in which neighbours share leading fields."""
    per_field = max(2, math.ceil(count ** (1 / max(1, len(fields)))))
    values = [list(dict.fromkeys(plain(field, n) for n in range(per_field))) for field in fields]
    # The last field takes what the others could not, because their types are small.
    if fields:
        others = math.prod(map(len, values[:-1]))
        last = (plain(fields[-1], n) for n in range(math.ceil(count / others)))
        values[-1] = list(dict.fromkeys(last))
    names = [field.name for field in fields]
    for row in itertools.islice(itertools.product(*values), count):
        yield dict(zip(names, row, strict=True))


def plain_value(fields: Sequence[Field], number: int) -> dict[str, object]:
    """Return the *number*th plain value: all its fields tell the same number."""
    return {field.name: plain(field, number) for field in fields}


def some_values(fields: Sequence[Field]) -> list[dict[str, object]]:
    """Return values that together have every field at each of its bounds, the plainest first."""
    columns = {field.name: bounds(field) for field in fields}
    longest = max(map(len, columns.values()), default=0)
    rows = ({name: column[n % len(column)] for name, column in columns.items()} for n in range(longest))
    return [plain_value(fields, 0), plain_value(fields, 1), *rows]


def _bounds(field: Field) -> Sequence[object]:
    bound = int_range(field.type)
    if bound is not None:
        low, high = bound
        inner = [n for n in (-1, 0, 1, 2**31, 2**53 + 1) if low < n < high]
        return [low, *inner, high]
    if field.type is DataType.BOOL:
        return [False, True]
    if field.type in _FLOATS:
        return _FLOATS[field.type]
    if field.type is DataType.QNAME:
        return ["a.b", "test.Name_1"]
    if field.type is DataType.OBJECT:
        return OBJECTS
    if field.type is DataType.BYTES:
        return [*BLOBS, *([b"\xff" * field.max_length] if field.max_length else [])]
    # Characters are counted, not bytes: a field full of astral ones still fits.
    full = field.max_length if field.max_length is not None else 1000
    return [*TEXTS, "x" * full, "\U0001f600" * full]


def _fits(field: Field, value: object) -> bool:
    return field.max_length is None or not isinstance(value, (str, bytes)) or len(value) <= field.max_length


def _letters(number: int, alphabet: str) -> str:
    text = ""
    while number >= 0:
        number, letter = divmod(number, len(alphabet))
        text, number = alphabet[letter] + text, number - 1
    return text
