from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any

from statehold.events import Shape, ViewShape
from statehold.processing.constraints import Column, Columns
from statehold.sdk import DataType, Field


def of_shape(shape: Shape) -> Columns:
    """Return the columns of values of a table or type."""
    return _ShapeColumns(shape)


def of_view(shape: ViewShape) -> Columns:
    """Return the columns of the rows of a view, each a pair of key and value."""
    columns = {}
    for place, fields in enumerate((shape.rows.key_fields, shape.rows.value_fields)):
        columns.update({field.name: Column(field, _reader(place, field)) for field in fields})
    return Columns(shape.name, columns)


def of_anything(name: str) -> Columns:
    """Return the columns of results that may be anything: whatever a constraint names."""
    return _AnyColumns(name, {})


def _reader(place: int, field: Field) -> Callable[[Any], Any]:
    read = attrgetter(field.attribute)
    return lambda row: read(row[place])


class _ShapeColumns(Columns):
    """Columns that are made when a constraint first asks for one: most requests have none."""

    def __init__(self, shape: Shape) -> None:
        self.of = shape.name
        self._shape = shape

    @cached_property
    def _columns(self) -> Mapping[str, Column]:  # type: ignore[override]
        fields = {field.name: field for field in self._shape.rows.value_fields}
        for name in self._shape.containers:
            fields.setdefault(name, Field(name, DataType.OBJECT, repeated=True))
        return {name: Column(field, attrgetter(field.attribute)) for name, field in fields.items()}


class _AnyColumns(Columns):
    def get(self, constraint: str, name: str) -> Column:  # noqa: ARG002 - as `Columns`
        return _AnyColumn(Field(name, DataType.TEXT), lambda row: _member(row, name))


class _AnyColumn(Column):
    def literal(self, constraint: str, given: object) -> object:  # noqa: ARG002 - as `Column`
        return given


def _member(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, Mapping) else None
