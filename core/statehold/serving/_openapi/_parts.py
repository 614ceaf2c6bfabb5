from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from statehold.serving._openapi._types import Schema, of_field
from statehold_vsql.appdef import FieldDef, QName

WSID: Final = {"$ref": "#/components/parameters/wsid"}
RECORD: Final = {"$ref": "#/components/parameters/record"}
LISTS: Final = [{"$ref": f"#/components/parameters/{name}"} for name in ("order", "limit", "skip")]
KEYS: Final = {"$ref": "#/components/parameters/keys"}
INCLUDE: Final = {"$ref": "#/components/parameters/include"}
ERROR: Final = {"$ref": "#/components/responses/Error"}
ANYTHING: Final[Schema] = {"type": "object"}


@attrs.frozen
class Operation:
    """One method of a path, and the structures that it speaks of: their names and suffixes."""

    path: str
    method: str
    document: Schema
    structures: tuple[tuple[QName, str], ...] = ()


def about(verb: str, name: QName, comment: str, tag: str) -> Schema:
    """Return what describes an operation."""
    found: Schema = {"operationId": f"{verb}.{name}", "tags": [tag], "summary": str(name)}
    return {**found, "description": comment} if comment else found


def where(fields: tuple[FieldDef, ...], *, required: list[str] | None = None) -> Schema:
    """Return the parameter `where` over the given fields."""
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


def changed(more: Mapping[str, Schema]) -> Schema:
    """Return the schema of what a change answers."""
    return {
        "type": "object",
        "properties": {
            "currentWLogOffset": {"type": "integer", "format": "int64"},
            "newIDs": {"type": "object", "additionalProperties": {"type": "integer", "format": "int64"}},
            **more,
        },
        "required": ["currentWLogOffset"],
    }


def results(result: Schema) -> Schema:
    """Return the answer with a list of results."""
    members = {
        "results": {"type": "array", "items": result},
        "error": {"$ref": "#/components/schemas/Error"},
    }
    return answer(
        "What was found; with `error` where reading failed after the answer had begun.",
        {"type": "object", "properties": members, "required": ["results"]},
    )


def answer(description: str, schema: Schema) -> Schema:
    """Return an answer in JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def body(schema: Schema) -> Schema:
    """Return a body in JSON."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}
