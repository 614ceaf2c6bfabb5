from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from statehold.serving._openapi._parts import (
    ANYTHING,
    ERROR,
    INCLUDE,
    KEYS,
    LISTS,
    WSID,
    Operation,
    about,
    answer,
    changed,
    results,
    where,
)
from statehold.serving._openapi._tables import table_operations
from statehold.serving._openapi._types import Schema, reference
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ANY, AccessOperation, AppDef, ExtensionDef, FieldDef, QName, ViewDef

#: Says whether an operation on a thing, by its qualified name, is to be shown.
Permitted = Callable[[AccessOperation, str], bool]


def operations(appdef: AppDef, permitted: Permitted) -> Iterator[Operation]:
    """Yield what may be called."""
    for extension in appdef.extensions.values():
        if extension.kind is ExtensionKind.COMMAND and permitted(
            AccessOperation.EXECUTE, str(extension.name)
        ):
            yield _command(extension)
        if extension.kind is ExtensionKind.QUERY and permitted(AccessOperation.EXECUTE, str(extension.name)):
            yield _query(extension, appdef)
    for view in appdef.views.values():
        if permitted(AccessOperation.SELECT, str(view.name)):
            yield _view(view)
    for table in appdef.tables.values():
        name = str(table.name)
        yield from table_operations(table, {one: permitted(one, name) for one in AccessOperation})


def _command(extension: ExtensionDef) -> Operation:
    members: dict[str, Schema] = {}
    if extension.parameter is not None:
        members["args"] = _object(extension.parameter, "New")
    if extension.unlogged is not None:
        members["unloggedArgs"] = _object(extension.unlogged, "New")
    sent: Schema = {"type": "object", "properties": members, "additionalProperties": False}
    result = {} if extension.returns is None else {"result": _object(extension.returns)}
    return Operation(
        f"/workspaces/{{wsid}}/commands/{extension.name}",
        "post",
        {
            **about("execute", extension.name, extension.comment, "Commands"),
            "parameters": [WSID],
            "requestBody": {"content": {"application/json": {"schema": sent}}},
            "responses": {"200": answer("What became of it.", changed(result)), "default": ERROR},
        },
        _used((extension.parameter, "New"), (extension.unlogged, "New"), (extension.returns, "")),
    )


def _query(extension: ExtensionDef, appdef: AppDef) -> Operation:
    parameters: list[Any] = [WSID]
    if extension.parameter is not None:
        args = {"application/json": {"schema": _object(extension.parameter, "New")}}
        needs = appdef.types.get(extension.parameter) or appdef.tables.get(extension.parameter)
        required = needs is not None and any(field.field.required for field in needs.fields)
        parameters.append({"name": "args", "in": "query", "required": required, "content": args})
    result = ANYTHING if extension.returns is None else _object(extension.returns)
    fields = () if extension.returns is None else _fields(appdef, extension.returns)
    return Operation(
        f"/workspaces/{{wsid}}/queries/{extension.name}",
        "get",
        {
            **about("execute", extension.name, extension.comment, "Queries"),
            "parameters": [*parameters, *LISTS, KEYS, INCLUDE, where(fields)],
            "responses": {"200": results(result), "default": ERROR},
        },
        _used((extension.parameter, "New"), (extension.returns, "")),
    )


def _view(view: ViewDef) -> Operation:
    fields = (*view.partition_key, *view.clustering_columns, *view.values)
    conditions = where(fields, required=[field.name for field in view.partition_key])
    return Operation(
        f"/workspaces/{{wsid}}/views/{view.name}",
        "get",
        {
            **about("select", view.name, view.comment, "Views"),
            "parameters": [WSID, conditions, *LISTS, KEYS, INCLUDE],
            "responses": {"200": results(reference(view.name)), "default": ERROR},
        },
        ((view.name, ""),),
    )


def _object(name: QName, suffix: str = "") -> Schema:
    return ANYTHING if name == ANY else reference(name, suffix)


def _used(*names: tuple[QName | None, str]) -> tuple[tuple[QName, str], ...]:
    return tuple((name, suffix) for name, suffix in names if name is not None and name != ANY)


def _fields(appdef: AppDef, name: QName) -> tuple[FieldDef, ...]:
    found = appdef.types.get(name) or appdef.tables.get(name)
    return () if found is None else found.fields
