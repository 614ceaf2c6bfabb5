from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from statehold.serving._openapi._types import SYSTEM, Schema, of_field, reference
from statehold_vsql import DataType, ExtensionKind
from statehold_vsql.appdef import (
    ANY,
    AccessOperation,
    AppDef,
    ExtensionDef,
    FieldDef,
    QName,
    TableDef,
    TableKind,
    ViewDef,
)

#: Says whether an operation on a thing, by its qualified name, is to be shown.
Permitted = Callable[[AccessOperation, str], bool]

_WSID: Final = {"$ref": "#/components/parameters/wsid"}
_RECORD: Final = {"$ref": "#/components/parameters/record"}
_LISTS: Final = [{"$ref": f"#/components/parameters/{name}"} for name in ("order", "limit", "skip")]
_SHAPES: Final = [{"$ref": f"#/components/parameters/{name}"} for name in ("keys",)]
_INCLUDE: Final = {"$ref": "#/components/parameters/include"}
_ERROR: Final = {"$ref": "#/components/responses/Error"}
_FINAL: Final = (TableKind.ODOC, TableKind.ORECORD)
_ROOTS: Final = (TableKind.CDOC, TableKind.WDOC)
_ANYTHING: Final[Schema] = {"type": "object"}
_CONTENTS: Final[Schema] = {"type": "string", "format": "binary"}


@attrs.frozen
class Operation:
    """One method of a path, and the structures that it speaks of: their names and suffixes."""

    path: str
    method: str
    document: Schema
    structures: tuple[tuple[QName, str], ...] = ()


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
        if not table.abstract and table.kind not in _FINAL:
            yield from _table(table, permitted)


def _command(extension: ExtensionDef) -> Operation:
    members: dict[str, Schema] = {}
    if extension.parameter is not None:
        members["args"] = _object(extension.parameter, "New")
    if extension.unlogged is not None:
        members["unloggedArgs"] = _object(extension.unlogged, "New")
    body: Schema = {"type": "object", "properties": members, "additionalProperties": False}
    result = {} if extension.returns is None else {"result": _object(extension.returns)}
    return Operation(
        f"/workspaces/{{wsid}}/commands/{extension.name}",
        "post",
        {
            **_about("execute", extension.name, extension.comment, "Commands"),
            "parameters": [_WSID],
            "requestBody": {"content": {"application/json": {"schema": body}}},
            "responses": {"200": _json("What became of it.", _changed(result)), "default": _ERROR},
        },
        _used((extension.parameter, "New"), (extension.unlogged, "New"), (extension.returns, "")),
    )


def _query(extension: ExtensionDef, appdef: AppDef) -> Operation:
    parameters: list[Any] = [_WSID]
    if extension.parameter is not None:
        args = {"application/json": {"schema": _object(extension.parameter, "New")}}
        needs = appdef.types.get(extension.parameter) or appdef.tables.get(extension.parameter)
        required = needs is not None and any(field.field.required for field in needs.fields)
        parameters.append({"name": "args", "in": "query", "required": required, "content": args})
    result = _ANYTHING if extension.returns is None else _object(extension.returns)
    fields = () if extension.returns is None else _fields(appdef, extension.returns)
    return Operation(
        f"/workspaces/{{wsid}}/queries/{extension.name}",
        "get",
        {
            **_about("execute", extension.name, extension.comment, "Queries"),
            "parameters": [*parameters, *_LISTS, *_SHAPES, _INCLUDE, _where(fields)],
            "responses": {"200": _results(result), "default": _ERROR},
        },
        _used((extension.parameter, "New"), (extension.returns, "")),
    )


def _view(view: ViewDef) -> Operation:
    fields = (*view.partition_key, *view.clustering_columns, *view.values)
    where = _where(fields, required=[field.name for field in view.partition_key])
    return Operation(
        f"/workspaces/{{wsid}}/views/{view.name}",
        "get",
        {
            **_about("select", view.name, view.comment, "Views"),
            "parameters": [_WSID, where, *_LISTS, *_SHAPES, _INCLUDE],
            "responses": {"200": _results(reference(view.name)), "default": _ERROR},
        },
        ((view.name, ""),),
    )


def _table(table: TableDef, permitted: Permitted) -> Iterator[Operation]:
    name = str(table.name)
    path = f"/workspaces/{{wsid}}/docs/{name}"
    may = {operation: permitted(operation, name) for operation in AccessOperation}
    own = ((table.name, ""),)
    found = {"200": _json("The document.", reference(table.name)), "default": _ERROR}
    changed = {"200": _json("What became of it.", _changed({})), "default": _ERROR}
    if may[AccessOperation.SELECT]:
        about = _about("select", table.name, table.comment, "Documents")
        shape = [_INCLUDE, *_SHAPES]
        yield Operation(
            f"{path}/{{record}}",
            "get",
            {**about, "parameters": [_WSID, _RECORD, *shape], "responses": found},
            own,
        )
        if table.singleton:
            about = _about("selectSingleton", table.name, table.comment, "Documents")
            yield Operation(path, "get", {**about, "parameters": [_WSID, *shape], "responses": found}, own)
        if table.kind is TableKind.CDOC:
            about = _about("list", table.name, table.comment, "Documents")
            where = _where(table.fields)
            yield Operation(
                f"/workspaces/{{wsid}}/cdocs/{name}",
                "get",
                {
                    **about,
                    "parameters": [_WSID, where, *_LISTS, *shape],
                    "responses": {"200": _results(reference(table.name)), "default": _ERROR},
                },
                own,
            )
        yield from (_read_blob(path, table, field) for field in _blobs(table))
    if may[AccessOperation.INSERT] and table.kind in _ROOTS:
        yield Operation(
            path,
            "post",
            {
                **_about("insert", table.name, table.comment, "Documents"),
                "parameters": [_WSID],
                "requestBody": _body(reference(table.name, "New")),
                "responses": {"201": _json("It is made.", _changed({})), "default": _ERROR},
            },
            ((table.name, "New"),),
        )
    if may[AccessOperation.UPDATE] or may[AccessOperation.ACTIVATE]:
        yield Operation(
            f"{path}/{{record}}",
            "patch",
            {
                **_about("update", table.name, table.comment, "Documents"),
                "parameters": [_WSID, _RECORD],
                "requestBody": _body(_changes(table)),
                "responses": changed,
            },
        )
        yield from (_write_blob(path, table, field) for field in _blobs(table))
    if may[AccessOperation.DEACTIVATE]:
        yield Operation(
            f"{path}/{{record}}",
            "delete",
            {
                **_about("deactivate", table.name, table.comment, "Documents"),
                "parameters": [_WSID, _RECORD],
                "responses": changed,
            },
        )


def _blobs(table: TableDef) -> list[str]:
    return [field.name for field in table.fields if field.field.type is DataType.BLOB]


def _read_blob(path: str, table: TableDef, field: str) -> Operation:
    contents = {"description": "The contents.", "content": {"*/*": {"schema": _CONTENTS}}}
    return Operation(
        f"{path}/{{record}}/blobs/{field}",
        "get",
        {
            **_about(f"readBlob.{field}", table.name, "", "Blobs"),
            "parameters": [_WSID, _RECORD],
            "responses": {"200": contents, "default": _ERROR},
        },
    )


def _write_blob(path: str, table: TableDef, field: str) -> Operation:
    more = {"blobID": {"type": "integer", "format": "int64"}, "size": {"type": "integer", "format": "int64"}}
    return Operation(
        f"{path}/{{record}}/blobs/{field}",
        "put",
        {
            **_about(f"writeBlob.{field}", table.name, "", "Blobs"),
            "parameters": [_WSID, _RECORD],
            "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _CONTENTS}}},
            "responses": {"200": _json("It is stored.", _changed(more)), "default": _ERROR},
        },
    )


def _changes(table: TableDef) -> Schema:
    properties = {"sys.IsActive": SYSTEM["sys.IsActive"]}
    for field in table.fields:
        schema = of_field(field)
        schema.pop("default", None)
        properties[field.name] = schema
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _object(name: QName, suffix: str = "") -> Schema:
    return _ANYTHING if name == ANY else reference(name, suffix)


def _used(*names: tuple[QName | None, str]) -> tuple[tuple[QName, str], ...]:
    return tuple((name, suffix) for name, suffix in names if name is not None and name != ANY)


def _fields(appdef: AppDef, name: QName) -> tuple[FieldDef, ...]:
    found = appdef.types.get(name) or appdef.tables.get(name)
    return () if found is None else found.fields


def _about(verb: str, name: QName, comment: str, tag: str) -> Schema:
    about: Schema = {"operationId": f"{verb}.{name}", "tags": [tag], "summary": str(name)}
    return {**about, "description": comment} if comment else about


def _where(fields: tuple[FieldDef, ...], *, required: list[str] | None = None) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {field.name: _comparison(of_field(field)) for field in fields},
    }
    if required:
        schema["required"] = required
    return {
        "name": "where",
        "in": "query",
        "required": bool(required),
        "description": 'A value, or `{"$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte": value}`, '
        'or `{"$in": [...]}`, by field.',
        "content": {"application/json": {"schema": schema}},
    }


def _comparison(value: Schema) -> Schema:
    plain = {name: one for name, one in value.items() if name not in ("default", "description", "pattern")}
    return {"anyOf": [plain, {"$ref": "#/components/schemas/Condition"}]}


def _changed(more: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": {
            "currentWLogOffset": {"type": "integer", "format": "int64"},
            "newIDs": {"type": "object", "additionalProperties": {"type": "integer", "format": "int64"}},
            **more,
        },
        "required": ["currentWLogOffset"],
    }


def _results(result: Schema) -> Schema:
    members = {
        "results": {"type": "array", "items": result},
        "error": {"$ref": "#/components/schemas/Error"},
    }
    return _json(
        "What was found; with `error` where reading failed after the answer had begun.",
        {"type": "object", "properties": members, "required": ["results"]},
    )


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}
