from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from statehold.events._shape import Shape
from statehold.events._table import TableShape
from statehold.events._uniques import Unique
from statehold.events._view import ViewShape
from statehold.sdk import SchemaError, Value
from statehold_vsql.appdef import AppDef, QName, TableDef, WorkspaceDef


class _Head(msgspec.Struct, rename={"table": "sys.QName"}):
    table: str = ""


class Schemas:
    """The shapes of all tables, views and types of one version of an app, and what its workspaces have.

    A shape is compiled when it is first asked for, and `check` compiles all.

    Attributes:
        appdef: the declarations.
        workspaces: the kinds of workspaces, by qualified name.
        members: the qualified names of all that a kind of workspace has, inherited ones too, by kind.

    """

    def __init__(self, appdef: AppDef) -> None:
        self.appdef = appdef
        self._definitions: dict[str, Any] = {
            str(name): definition
            for group in (appdef.tables, appdef.views, appdef.types)
            for name, definition in group.items()
        }
        self._shapes: dict[str, Shape] = {}
        #: The shapes by the classes of their keys and values.
        self.by_class: dict[type, Shape] = {}
        #: The tables that can hold records, by the classes of their values.
        self.tables_of: dict[type, TableShape] = {}
        self._head = msgspec.msgpack.Decoder(_Head).decode
        self.workspaces: Mapping[str, WorkspaceDef] = {
            str(name): definition for name, definition in appdef.workspaces.items()
        }
        self.members: Mapping[str, frozenset[str]] = {
            name: self._members(definition) for name, definition in self.workspaces.items()
        }

    def __getitem__(self, name: str | QName) -> Any:
        """Return the shape of a table (`TableShape`), a view (`ViewShape`) or a type (`Shape`).

        Raises:
            SchemaError: the app has none of this name, or it cannot be compiled.

        """
        shape = self.find(str(name))
        if shape is None:
            raise SchemaError(
                f"{self.appdef.name} has no table, view or type {name}",
                storage=str(name),
                field="",
                expected="the name of a table, view or type",
                got=str(name),
            )
        return shape

    def __contains__(self, name: object) -> bool:
        return str(name) in self._definitions

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def find(self, name: str) -> Shape | None:
        """Return the shape called *name*, None if this version has none."""
        shape = self._shapes.get(name)
        if shape is None and name in self._definitions:
            shape = self._compile(name)
        return shape

    def of(self, row: object) -> Any:
        """Return the shape that a key or a value belongs to."""
        try:
            return self.by_class[type(row)]
        except KeyError:
            raise SchemaError(
                f"{type(row).__name__}: expected a key or a value of this version of {self.appdef.name}",
                storage=type(row).__name__,
                field="",
                expected="a key or a value made by one of its shapes",
                got=row,
            ) from None

    def check(self) -> list[str]:
        """Compile every shape, and return what is wrong with them, a line for each."""
        problems = []
        for name in self._definitions:
            try:
                self.find(name)
            except SchemaError as error:
                problems.append(str(error))
        return problems

    def record(self, row: bytes, shape: Shape | None = None) -> Value | None:
        """Return the record that a row holds, None if this version does not know its table.

        Args:
            row: the row.
            shape: the table that it probably is of.

        """
        if shape is not None:
            value = shape.decode(row)
            if value.sys_QName == shape.name:  # type: ignore[attr-defined]
                return value
        found = self.find(self._head(row).table)
        return None if found is None else found.decode(row)

    def table_of(self, row: bytes) -> str:
        """Return the name of the table that the record of a row is of."""
        return self._head(row).table

    def bases(self, table: TableDef) -> list[TableDef]:
        """Return the tables that *table* inherits, the nearest first."""
        found = []
        while table.inherits is not None:
            table = self.appdef.tables[table.inherits]
            found.append(table)
        return found

    @cached_property
    def tables(self) -> Mapping[str, TableShape]:
        """All tables that can hold records."""
        return {str(name): self[name] for name, table in self.appdef.tables.items() if not table.abstract}

    @cached_property
    def uniques(self) -> Mapping[str, Unique]:
        """All uniques of tables that can hold records, by name."""
        return {unique.name: unique for table in self.tables.values() for unique in table.uniques}

    def _compile(self, name: str) -> Shape:
        definition = self._definitions[name]
        shape: Shape
        if definition.name in self.appdef.tables:
            shape = TableShape(definition, self.__getitem__, inherits=self.bases(definition))
        elif definition.name in self.appdef.views:
            shape = ViewShape(definition, self.__getitem__)
        else:
            shape = Shape(
                definition, self.__getitem__, fields=definition.fields, containers=definition.containers
            )
        # Two threads may both compile it: the first counts, so that its classes are the only ones.
        shape = self._shapes.setdefault(name, shape)
        rows = shape.rows
        for kind in (rows.Key, rows.Prefix, rows.Value, shape.tree.Value):
            self.by_class[kind] = shape
        if isinstance(shape, TableShape) and not definition.abstract:
            self.tables_of |= {rows.Value: shape, shape.tree.Value: shape}
        return shape

    def _members(self, workspace: WorkspaceDef) -> frozenset[str]:
        seen: dict[QName, WorkspaceDef] = {}
        waiting = [workspace.name, QName("sys", "Workspace")]
        while waiting:
            name = waiting.pop()
            if name not in seen and name in self.appdef.workspaces:
                seen[name] = self.appdef.workspaces[name]
                waiting += seen[name].inherits
        return frozenset(str(member) for each in seen.values() for member in each.members)
