from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from statehold_vsql._fields import DataType, Field
from statehold_vsql.appdef import ContainerDef, FieldDef
from statehold_vsql.evolution._change import Broken, Changes, Subject

_INTEGERS: Final = (DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64)
_FLOATS: Final = (DataType.FLOAT32, DataType.FLOAT64)


@attrs.frozen(kw_only=True)
class Way:
    """What becomes of the values of some fields, and so what may change about them.

    Attributes:
        stored: values of the old version are read by the new one.
        written: clients send them.
        promised: clients read them, and take a NOT NULL for what it says.
        exact: they are part of a key: no other type finds what was stored.

    """

    stored: bool = False
    written: bool = False
    promised: bool = False
    exact: bool = False

    @property
    def broken(self) -> Broken:
        """Who misses a field that is gone."""
        return Broken.DATA if self.stored else Broken.CLIENTS

    @property
    def tightened(self) -> Broken | None:
        """Who is broken where less is permitted than before."""
        return Broken.CLIENTS if self.written else Broken.DATA if self.stored else None


def plain(fields: Iterable[Field]) -> tuple[FieldDef, ...]:
    """Return the fields of a storage as those of tables are."""
    return tuple(FieldDef(field=field) for field in fields)


def compare_fields(
    changes: Changes,
    subject: Subject,
    old: Sequence[FieldDef],
    new: Sequence[FieldDef],
    way: Way,
    *,
    what: str = "field",
) -> None:
    """Note what changed about the fields of *subject*; *what* they are called in the messages."""
    after = {field.name: field for field in new}
    before = {field.name: field for field in old}
    for field in old:
        other = after.get(field.name)
        if other is None:
            changes.add("field-removed", subject, f"{what} {field.name} is gone", way.broken)
        else:
            _compare(changes, subject, field, other, way, what=f"{what} {field.name}")
    for field in new:
        if field.name not in before:
            missing = field.field.required and field.default is None
            breaks = way.tightened if missing else None
            tail = ", and is NOT NULL without a DEFAULT" if missing else ""
            changes.add("field-added", subject, f"{what} {field.name} is new{tail}", breaks)


def compare_containers(
    changes: Changes,
    subject: Subject,
    old: Sequence[ContainerDef],
    new: Sequence[ContainerDef],
    way: Way,
) -> None:
    """Note what changed about the nested records or objects of *subject*."""
    after = {container.name: container for container in new}
    before = {container.name: container for container in old}
    for name, container in before.items():
        other = after.get(name)
        what = f"container {name}"
        if other is None:
            changes.add("container-removed", subject, f"{what} is gone", way.broken)
            continue
        if other.type != container.type:
            changes.add(
                "container-type", subject, f"{what} holds {other.type}, not {container.type}", way.broken
            )
        _required(changes, subject, what, way, before=container.required, after=other.required)
    for name, container in after.items():
        if name not in before:
            breaks = way.tightened if container.required else None
            tail = ", and is NOT NULL" if container.required else ""
            changes.add("container-added", subject, f"container {name} is new{tail}", breaks)


def _compare(
    changes: Changes, subject: Subject, old: FieldDef, new: FieldDef, way: Way, *, what: str
) -> None:
    before, after = old.field, new.field
    if (before.type, before.repeated) != (after.type, after.repeated):
        wider = before.repeated == after.repeated and not way.exact and _is_wider(after.type, before.type)
        repeated = " repeated" if after.repeated else ""
        message = f"{what} is {after.type}{repeated}, and was {before.type}"
        changes.add("field-type", subject, message, None if wider else way.broken)
    elif before.max_length != after.max_length:
        # None is no limit.
        shorter = after.max_length is not None and (
            before.max_length is None or after.max_length < before.max_length
        )
        message = f"{what} holds {_length(after)}, and held {_length(before)}"
        changes.add("field-length", subject, message, way.tightened if shorter else None)
    _required(changes, subject, what, way, before=before.required, after=after.required)
    if old.pattern != new.pattern:
        message = f"{what} has {'no CHECK any more' if new.pattern is None else 'another CHECK'}"
        changes.add("field-check", subject, message, None if new.pattern is None else way.tightened)
    if old.verifiable != new.verifiable:
        message = f"{what} is {'VERIFIABLE' if new.verifiable else 'not VERIFIABLE any more'}"
        changes.add("field-verifiable", subject, message, way.tightened if new.verifiable else None)
    if frozenset(old.references) != frozenset(new.references):
        # No table is any table.
        fewer = bool(new.references) and (
            not old.references or not set(old.references) <= set(new.references)
        )
        message = f"{what} refers to {_tables(new)}, and did to {_tables(old)}"
        changes.add("field-references", subject, message, way.tightened if fewer else None)
    if old.default != new.default:
        changes.add("field-default", subject, f"{what} has another DEFAULT")


def _required(changes: Changes, subject: Subject, what: str, way: Way, *, before: bool, after: bool) -> None:
    if after and not before:
        changes.add("field-required", subject, f"{what} is NOT NULL, and was not", way.tightened)
    elif before and not after:
        breaks = Broken.CLIENTS if way.promised else None
        changes.add("field-optional", subject, f"{what} is not NOT NULL any more", breaks)


def _is_wider(new: DataType, old: DataType) -> bool:
    return any(
        new in types and old in types and types.index(new) > types.index(old)
        for types in (_INTEGERS, _FLOATS)
    )


def _length(field: Field) -> str:
    return "any length" if field.max_length is None else f"up to {field.max_length}"


def _tables(field: FieldDef) -> str:
    return ", ".join(map(str, field.references)) or "any table"
