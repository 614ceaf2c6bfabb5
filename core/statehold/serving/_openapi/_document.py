from __future__ import annotations

from typing import Any, Final

from statehold.serving._openapi._operations import Permitted, operations
from statehold.serving._openapi._types import Schema, structures
from statehold_vsql.appdef import AppDef, QName

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_ID: Final[Schema] = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**63 - 1}

_ERROR: Final[Schema] = {
    "title": "Error",
    "type": "object",
    "properties": {
        "message": {"type": "string"},
        "status": {"type": "integer"},
        "qname": {"type": "string"},
        "data": {"type": "object"},
    },
    "required": ["message"],
}
_CONDITION: Final[Schema] = {
    "title": "Condition",
    "type": "object",
    "properties": {
        **{name: {} for name in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")},
        "$in": {"type": "array"},
    },
    "additionalProperties": False,
    "minProperties": 1,
}


def _parameter(name: str, schema: Schema, description: str, *, place: str = "query") -> Schema:
    found = {"name": name, "in": place, "schema": schema, "description": description}
    return {**found, "required": True} if place == "path" else found


_PARAMETERS: Final[dict[str, Schema]] = {
    "wsid": _parameter("wsid", _ID, "The workspace.", place="path"),
    "record": _parameter("record", _ID, "The record's id.", place="path"),
    "order": _parameter("order", {"type": "string"}, "Fields, `-` before one that descends: `Total,-Name`."),
    "limit": _parameter("limit", _COUNT, "At most so many results."),
    "skip": _parameter("skip", _COUNT, "Without the first so many results."),
    "keys": _parameter("keys", {"type": "string"}, 'Only these fields: `Total,"sys.ID"`.'),
    "include": _parameter(
        "include", {"type": "string"}, "References and containers to put inside: `Article,Lines.Article`."
    ),
}


def openapi(appdef: AppDef, *, app: str, version: str, permitted: Permitted, title: str = "") -> Schema:
    """Return the OpenAPI 3.1 document of what *permitted* permits in one version of an app."""
    owner, _, name = app.partition(".")
    paths: dict[str, dict[str, Any]] = {}
    used: list[tuple[QName, str]] = []
    for operation in operations(appdef, permitted):
        paths.setdefault(operation.path, {})[operation.method] = operation.document
        used += operation.structures
    return {
        "openapi": "3.1.0",
        "info": {"title": title or app, "version": version},
        "servers": [{"url": f"/api/v2/apps/{owner}/{name}"}],
        "security": [{"bearer": []}, {}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "parameters": _PARAMETERS,
            "responses": {
                "Error": {
                    "description": "It was refused, or has failed.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
            },
            "schemas": {"Error": _ERROR, "Condition": _CONDITION, **structures(appdef, used)},
        },
    }
