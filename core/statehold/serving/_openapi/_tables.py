from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from statehold.serving._openapi._parts import (
    ERROR,
    INCLUDE,
    KEYS,
    LISTS,
    RECORD,
    WSID,
    Operation,
    about,
    answer,
    body,
    changed,
    results,
    where,
)
from statehold.serving._openapi._types import SYSTEM, Schema, of_field, reference
from statehold_vsql import DataType
from statehold_vsql.appdef import AccessOperation, TableDef, TableKind

_FINAL: Final = (TableKind.ODOC, TableKind.ORECORD)
_ROOTS: Final = (TableKind.CDOC, TableKind.WDOC)
_CONTENTS: Final[Schema] = {"type": "string", "format": "binary"}


def table_operations(table: TableDef, may: Mapping[AccessOperation, bool]) -> Iterator[Operation]:
    """Yield what *may* be done with the records of a table."""
    if table.abstract or table.kind in _FINAL:
        return
    name = str(table.name)
    path = f"/workspaces/{{wsid}}/docs/{name}"
    own = ((table.name, ""),)
    found = {"200": answer("The document.", reference(table.name)), "default": ERROR}
    done = {"200": answer("What became of it.", changed({})), "default": ERROR}
    if may[AccessOperation.SELECT]:
        described = about("select", table.name, table.comment, "Documents")
        shape = [INCLUDE, KEYS]
        yield Operation(
            f"{path}/{{record}}",
            "get",
            {**described, "parameters": [WSID, RECORD, *shape], "responses": found},
            own,
        )
        if table.singleton:
            described = about("selectSingleton", table.name, table.comment, "Documents")
            yield Operation(path, "get", {**described, "parameters": [WSID, *shape], "responses": found}, own)
        if table.kind is TableKind.CDOC:
            described = about("list", table.name, table.comment, "Documents")
            conditions = where(table.fields)
            yield Operation(
                f"/workspaces/{{wsid}}/cdocs/{name}",
                "get",
                {
                    **described,
                    "parameters": [WSID, conditions, *LISTS, *shape],
                    "responses": {"200": results(reference(table.name)), "default": ERROR},
                },
                own,
            )
        yield from (_read_blob(path, table, field) for field in _blobs(table))
    if may[AccessOperation.INSERT] and table.kind in _ROOTS:
        yield Operation(
            path,
            "post",
            {
                **about("insert", table.name, table.comment, "Documents"),
                "parameters": [WSID],
                "requestBody": body(reference(table.name, "New")),
                "responses": {"201": answer("It is made.", changed({})), "default": ERROR},
            },
            ((table.name, "New"),),
        )
    if may[AccessOperation.UPDATE] or may[AccessOperation.ACTIVATE]:
        yield Operation(
            f"{path}/{{record}}",
            "patch",
            {
                **about("update", table.name, table.comment, "Documents"),
                "parameters": [WSID, RECORD],
                "requestBody": body(_changes(table)),
                "responses": done,
            },
        )
        yield from (_write_blob(path, table, field) for field in _blobs(table))
    if may[AccessOperation.DEACTIVATE]:
        yield Operation(
            f"{path}/{{record}}",
            "delete",
            {
                **about("deactivate", table.name, table.comment, "Documents"),
                "parameters": [WSID, RECORD],
                "responses": done,
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
            **about(f"readBlob.{field}", table.name, "", "Blobs"),
            "parameters": [WSID, RECORD],
            "responses": {"200": contents, "default": ERROR},
        },
    )


def _write_blob(path: str, table: TableDef, field: str) -> Operation:
    more = {"blobID": {"type": "integer", "format": "int64"}, "size": {"type": "integer", "format": "int64"}}
    return Operation(
        f"{path}/{{record}}/blobs/{field}",
        "put",
        {
            **about(f"writeBlob.{field}", table.name, "", "Blobs"),
            "parameters": [WSID, RECORD],
            "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _CONTENTS}}},
            "responses": {"200": answer("It is stored.", changed(more)), "default": ERROR},
        },
    )


def _changes(table: TableDef) -> Schema:
    properties = {"sys.IsActive": SYSTEM["sys.IsActive"]}
    for field in table.fields:
        schema = of_field(field)
        schema.pop("default", None)
        properties[field.name] = schema
    return {"type": "object", "properties": properties, "additionalProperties": False}
