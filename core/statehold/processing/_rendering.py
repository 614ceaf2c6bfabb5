from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from statehold.events import Reader, Shape, TableShape
from statehold.processing._errors import RequestError
from statehold.processing._rights import IDENTITY, Permission
from statehold.processing.constraints import Path, spelled
from statehold.sdk import DataType, Value

#: Names, and what is asked for inside of each.
Tree: TypeAlias = "dict[str, Tree]"

#: Says what may be seen of a table; raises if nothing may.
MaySee: TypeAlias = Callable[[str, Iterable[str]], Permission]


def tree(paths: Iterable[Path]) -> Tree:
    """Return paths as a tree."""
    root: Tree = {}
    for path in paths:
        at = root
        for name in path:
            at = at.setdefault(name, {})
    return root


class Renderer:
    """Makes mappings of values: with what `include` names inside of them, and nothing but `keys`.

    An included `ref` is replaced by the record that it points to, a container holds the active records that
    are nested in it.

    Args:
        reader: looks up what is included.
        workspace: where.
        include: what to look up inside.
        keys: what to show; nothing for all.
        may_see: says what may be seen of a table.

    """

    def __init__(self, reader: Reader, workspace: int, *, include: Tree, keys: Tree, may_see: MaySee) -> None:
        self._reader = reader
        self._workspace = workspace
        self._include = include
        self._keys = keys
        self._may_see = may_see

    def check(self, shape: Shape) -> None:
        """Raise RequestError if the values of *shape* have nothing that is to be included."""
        for name in self._include:
            self._check_included(shape, name)

    def value(self, value: Value, shape: Shape, permission: Permission) -> dict[str, Any]:
        """Return one value as a mapping."""
        return self._render(value, shape, permission, self._include, self._keys)

    def plain(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of *fields*, as JSON has them, that are to be shown."""
        return picked(fields, self._keys)

    def _render(
        self, value: Value, shape: Shape, permission: Permission, include: Tree, keys: Tree
    ) -> dict[str, Any]:
        made: dict[str, Any] = msgspec.to_builtins(value)
        if permission.fields is not None:
            made = {name: one for name, one in made.items() if name in permission.fields or name in IDENTITY}
        for name, inner in include.items():
            self._check_included(shape, name)
            if permission.missing([name]):
                self._may_see(shape.name, [name])
            found = self._included(value, shape, name, inner, keys.get(name, {}))
            if found is not None:
                made[name] = found
        return picked(made, keys)

    def _included(self, value: Any, shape: Shape, name: str, include: Tree, keys: Tree) -> Any:
        container = shape.containers.get(name)
        if container is None:
            return self._referred(getattr(value, name), include, keys)
        if not isinstance(container, TableShape):
            inner = getattr(value, name) or ()
            return [self._render(one, container, Permission(), include, keys) for one in inner]
        permission = self._may_see(container.name, keys)
        children = self._reader.children(self._workspace, value.sys_ID, name)
        return [
            self._render(child, container, permission, include, keys)
            for child in children
            if child.sys_IsActive is not False  # type: ignore[attr-defined]
        ]

    def _referred(self, record: int | None, include: Tree, keys: Tree) -> dict[str, Any] | None:
        if record is None:
            return None
        value: Any = self._reader.record(self._workspace, record)
        if value is None:
            return None
        shape: Shape = self._reader.schemas.of(value)
        return self._render(value, shape, self._may_see(shape.name, keys), include, keys)

    def _check_included(self, shape: Shape, name: str) -> None:
        if name in shape.containers:
            return
        known = {field.name: field for field in shape.rows.value_fields}
        if name not in known or known[name].type is not DataType.REF:
            references = sorted(
                [*shape.containers, *(n for n, field in known.items() if field.type is DataType.REF)]
            )
            raise RequestError(
                f"include: {shape.name} has no reference and no container {spelled((name,))!r:.80}",
                qname=shape.name,
                hint=f"It has {', '.join(references) or 'none'}",
            )


def picked(fields: Mapping[str, Any], keys: Tree) -> dict[str, Any]:
    """Return those of *fields* that *keys* names, all where it names none."""
    if not keys:
        return dict(fields)
    return {name: fields[name] for name in keys if name in fields}
