from __future__ import annotations

from typing import Final

from statehold.events import TableShape
from statehold.processing._errors import NotAllowedError, UnknownError
from statehold.processing._parts import Parts
from statehold_vsql.appdef import TableDef, TableKind

_OPERATIONAL: Final = (TableKind.ODOC, TableKind.ORECORD)


def table(parts: Parts, name: str) -> TableShape:
    """Return a table that has records of its own.

    Raises:
        UnknownError: there is none of this name.

    """
    shape = parts.schemas.find(name)
    if not isinstance(shape, TableShape):
        raise UnknownError(f"{parts.app} has no table {name!r:.200}", qname=name[:200])
    definition: TableDef = shape.definition
    if definition.abstract:
        raise UnknownError(f"{name} is abstract: it has no records of its own", qname=name)
    return shape


def changeable(parts: Parts, name: str) -> TableShape:
    """Return a table whose records may be made and changed one by one.

    Raises:
        UnknownError: there is none of this name.
        NotAllowedError: its records come into being as arguments of commands, and stay as they are.

    """
    shape = table(parts, name)
    if shape.kind in _OPERATIONAL:
        raise NotAllowedError(
            f"{name} is an {shape.kind}: its records are not made or changed one by one",
            qname=name,
            hint="They are the arguments of commands",
        )
    return shape
