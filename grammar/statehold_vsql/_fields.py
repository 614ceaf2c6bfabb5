from __future__ import annotations

import keyword
from enum import StrEnum

import attrs


class DataType(StrEnum):
    """The type of a field, by its canonical VSQL name.

    As Python values: `text` and `qname` are `str`, `bytes` is `bytes`, `bool` is `bool`, the floats
    are `float`, everything else is `int` in the range of its size (`timestamp` in milliseconds since
    1970, `money` in ten-thousandths, `ref` and `blob` ids of records). `object` is a nested value, a
    mapping or a list; no declaration can write it, only providers have such fields.
    """

    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOL = "bool"
    TEXT = "text"
    BYTES = "bytes"
    TIMESTAMP = "timestamp"
    MONEY = "money"
    QNAME = "qname"
    BLOB = "blob"
    REF = "ref"
    OBJECT = "object"


@attrs.frozen
class Field:
    """One field of a key or a value.

    `required` is `NOT NULL`; `max_length` counts characters of a text or bytes of bytes, None for no
    limit; a `repeated` field holds a tuple of values, and a `secret` one is never shown (only providers
    written in Python have those two).
    """

    name: str
    type: DataType = attrs.field(converter=DataType)
    required: bool = attrs.field(default=False, kw_only=True)
    max_length: int | None = attrs.field(default=None, kw_only=True)
    repeated: bool = attrs.field(default=False, kw_only=True)
    secret: bool = attrs.field(default=False, kw_only=True, eq=False)

    @property
    def attribute(self) -> str:
        """The name as a Python attribute: `sys_ID` for `sys.ID`, `class_` for `class`, others as they are."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name.replace(".", "_")

    def __str__(self) -> str:
        """Return the field as VSQL writes it."""
        length = f"({self.max_length})" if self.max_length is not None else ""
        return (
            f"{self.name} {self.type}{length}"
            f"{' REPEATED' if self.repeated else ''}{' NOT NULL' if self.required else ''}"
        )
