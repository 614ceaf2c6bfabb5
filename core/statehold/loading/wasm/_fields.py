"""Fields as a module's description has them, in the words of declarations: `Device text(40) NOT NULL`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from statehold.sdk import UNSET, DataType, Field, Secret
from statehold.state import int_range

_FIELD: Final = re.compile(
    r"(?P<name>[A-Za-z]\w{0,254}) (?P<type>\w+)(\((?P<length>\d{1,10})\))?(?P<required> NOT NULL)?", re.ASCII
)
_HIDDEN: Final = "secret"
_TYPES: Final[Mapping[DataType, type]] = {
    DataType.FLOAT32: float,
    DataType.FLOAT64: float,
    DataType.BOOL: bool,
    DataType.TEXT: str,
    DataType.QNAME: str,
    DataType.BYTES: bytes,
}


def read_fields(texts: Sequence[str], *, taken: Sequence[str] = ()) -> tuple[Field, ...]:
    """Return the fields that *texts* say; ValueError for what says none, or one twice, or a name *taken*."""
    fields = tuple(map(_field, texts))
    _refuse_twice([*taken, *(field.name for field in fields)])
    return fields


def config_model(name: str, texts: Sequence[str]) -> type | None:
    """Return a class with the fields that *texts* say, `secret` being one more type; None for no field."""
    if not texts:
        return None
    fields: list[Any] = []
    for text in texts:
        match = _FIELD.fullmatch(text)
        is_secret = match is not None and match["type"] == _HIDDEN
        kind: Any = Secret if is_secret else field_type(_field(text))
        found = _field(text.replace(f" {_HIDDEN}", " text", 1) if is_secret else text)
        fields.append((found.name, kind) if found.required else (found.name, kind | None, None))
    _refuse_twice([each[0] for each in fields])
    return msgspec.defstruct(f"{name}Config", fields, frozen=True, kw_only=True)


def config_values(config: Any) -> list[object]:
    """Return the values of a config in the order of its fields, secrets in the open."""
    if config is None:
        return []
    values = (getattr(config, name) for name in config.__struct_fields__)
    return [one.reveal() if isinstance(one, Secret) else None if one is UNSET else one for one in values]


def field_type(field: Field) -> Any:
    """Return what the values of a required field are decoded as, with their bounds."""
    bounds = int_range(field.type)
    if bounds is not None:
        return Annotated[int, msgspec.Meta(ge=bounds[0], le=bounds[1])]
    kind = _TYPES[field.type]
    if field.max_length is not None:
        return Annotated[kind, msgspec.Meta(max_length=field.max_length)]
    return kind


def _field(text: str) -> Field:
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text[:80]!r} is no field: write it as a declaration does, such as 'Device text(40) NOT NULL'"
        )
    try:
        kind = DataType(match["type"])
    except ValueError:
        kind = DataType.OBJECT
    if kind is DataType.OBJECT:
        known = ", ".join(one for one in DataType if one is not DataType.OBJECT)
        raise ValueError(f"{text!r} has no type that there is: {known}")
    if match["length"] and kind not in (DataType.TEXT, DataType.BYTES):
        raise ValueError(f"{text!r} has a length, which only text and bytes have")
    return Field(
        match["name"],
        kind,
        required=match["required"] is not None,
        max_length=int(match["length"]) if match["length"] else None,
    )


def _refuse_twice(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"it has the field {twice[0]!r} twice")
