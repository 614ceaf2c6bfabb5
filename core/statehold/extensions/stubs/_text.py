"""Pieces of Python source: types, parameters and documentation."""

from __future__ import annotations

from collections.abc import Iterable

from statehold.sdk import DataType, Field

_TYPES = {
    DataType.TEXT: "str",
    DataType.QNAME: "str",
    DataType.BYTES: "bytes",
    DataType.BOOL: "bool",
    DataType.FLOAT32: "float",
    DataType.FLOAT64: "float",
    DataType.OBJECT: "Any",
}
_UNITS = {
    DataType.MONEY: ", in ten-thousandths",
    DataType.TIMESTAMP: ", in milliseconds since 1970",
    DataType.REF: ", the id of a record",
}
#: What a record has as soon as there is one, and needs not be given for a new one.
_OF_EVERY_RECORD = ("sys.ID", "sys.QName")
_INDENT = "    "


def type_of(field: Field) -> str:
    """Return the type of a field as it is read."""
    plain = _TYPES.get(field.type, "int")
    if field.repeated:
        return f"tuple[{plain}, ...]"
    is_there = field.required or field.name in _OF_EVERY_RECORD
    return plain if is_there or plain == "Any" else f"{plain} | None"


def accepted(field: Field) -> str:
    """Return the type of a field as it may be given."""
    plain = _TYPES.get(field.type, "int")
    if field.repeated:
        plain = f"{plain} | Sequence[{plain}]"
    return plain if field.required or plain == "Any" else f"{plain} | None"


def parameter(field: Field, *, optional: bool) -> str:
    """Return the parameter by which a field is given."""
    default = " = ..." if optional else ""
    return f"{field.attribute}: {accepted(field)}{default}"


def parameters(
    required: Iterable[Field] = (), optional: Iterable[Field] = (), *, workspace: bool = False
) -> str:
    """Return the keyword parameters of fields, each once, with a star before them if there are any."""
    found: dict[str, str] = {}
    for fields, may_be_left_out in ((required, False), (optional, True)):
        for field in fields:
            if field.attribute not in found:
                found[field.attribute] = parameter(field, optional=may_be_left_out)
    if workspace and "WSID" not in found:
        found["WSID"] = "WSID: int = ..."
    return f", *, {', '.join(found.values())}" if found else ""


def unlike(name: str, fields: Iterable[Field]) -> str:
    """Return *name*, for a parameter that is never named, with underscores if a field has that name."""
    names = {field.attribute for field in fields}
    while name in names:
        name += "_"
    return name


def described(field: Field) -> str:
    """Return what is to be known of a field."""
    required = ", NOT NULL" if field.required else ""
    many = ", any number of them" if field.repeated else ""
    length = f"({field.max_length})" if field.max_length is not None else ""
    return f"{field.type}{length}{required}{_UNITS.get(field.type, '')}{many}"


def docstring(*paragraphs: str) -> list[str]:
    """Return a docstring, indented, empty for nothing to say."""
    text = "\n\n".join(paragraph.strip() for paragraph in paragraphs if paragraph.strip())
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if not text:
        return []
    lines = text.splitlines()
    if len(lines) == 1 and not text.endswith('"'):
        return [f'{_INDENT}"""{text}"""']
    return [f'{_INDENT}"""{lines[0]}', *(f"{_INDENT}{line}".rstrip() for line in lines[1:]), f'{_INDENT}"""']
