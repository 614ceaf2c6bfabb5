from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from statehold.state import int_range
from statehold_vsql import DataType, Field
from statehold_vsql.appdef import AppDef, ContainerDef, FieldDef, QName, TableDef, TypeDef, ViewDef

Schema = dict[str, Any]

_FORMATS: Final = {DataType.INT32: "int32", DataType.FLOAT32: "float", DataType.FLOAT64: "double"}
_NOTES: Final = {
    DataType.TIMESTAMP: "Milliseconds since 1970.",
    DataType.MONEY: "Ten-thousandths.",
    DataType.BYTES: "Base64.",
    DataType.QNAME: "A qualified name, such as `sys.Record`.",
    DataType.BLOB: "The id of a blob.",
    DataType.REF: "The id of a record.",
}
#: What a document has beside its own fields.
SYSTEM: Final[Mapping[str, Schema]] = {
    "sys.ID": {"type": "integer", "format": "int64", "minimum": 1},
    "sys.QName": {"type": "string"},
    "sys.ParentID": {"type": "integer", "format": "int64", "minimum": 0},
    "sys.Container": {"type": "string"},
    "sys.IsActive": {"type": "boolean"},
}


def of_field(definition: FieldDef) -> Schema:
    """Return the schema of a field that is not NULL."""
    field = definition.field
    schema = _plain(field)
    if definition.pattern is not None:
        schema["pattern"] = definition.pattern
    if definition.default is not None:
        schema["default"] = definition.default
    if definition.references:
        names = ", ".join(f"`{name}`" for name in definition.references)
        schema["description"] = f"The id of a record of {names}."
    return {"type": "array", "items": schema} if field.repeated else schema


def sent(
    fields: Iterable[FieldDef], containers: Iterable[ContainerDef], *, title: str, document: bool = False
) -> Schema:
    """Return the schema of an object that a request sends; what is not NOT NULL may be null or missing.

    A *document* may have raw ids, by which its references name what is made with it.
    """
    fields, containers = tuple(fields), tuple(containers)
    properties: dict[str, Schema] = {}
    if document:
        properties["sys.ID"] = {"type": "integer", "minimum": 1, "maximum": 65_535}
    for one in fields:
        schema = of_field(one)
        properties[one.name] = schema if one.field.required else _nullable(schema)
    for container in containers:
        properties[container.name] = {"type": "array", "items": reference(container.type, "New")}
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": [one.name for one in fields if one.field.required and one.default is None]
        + [one.name for one in containers if one.required],
        "additionalProperties": False,
    }


def answered(
    fields: Iterable[FieldDef], containers: Iterable[ContainerDef], *, title: str, document: bool = False
) -> Schema:
    """Return the schema of an object in an answer, which leaves out what is NULL."""
    properties: dict[str, Schema] = dict(SYSTEM) if document else {}
    for one in fields:
        schema = of_field(one)
        # What is stored was checked by the version that stored it.
        schema.pop("pattern", None)
        schema.pop("default", None)
        properties[one.name] = schema
    for container in containers:
        properties[container.name] = {"type": "array", "items": reference(container.type)}
    return {"title": title, "type": "object", "properties": properties}


def reference(name: QName | str, suffix: str = "") -> Schema:
    """Return a reference to the schema of a table, view or type; with *suffix* `New` as it is sent."""
    return {"$ref": f"#/components/schemas/{component(name, suffix)}"}


def component(name: QName | str, suffix: str = "") -> str:
    """Return what a schema is called among the components."""
    return f"{name}.{suffix}" if suffix else str(name)


def structures(appdef: AppDef, wanted: Iterable[tuple[QName, str]]) -> dict[str, Schema]:
    """Return the components for the *wanted* names and suffixes, and for all that these refer to."""
    found: dict[str, Schema] = {}
    waiting = list(wanted)
    while waiting:
        name, suffix = waiting.pop()
        key = component(name, suffix)
        definition = appdef.types.get(name) or appdef.tables.get(name) or appdef.views.get(name)
        if key in found or definition is None:
            continue
        found[key] = _structure(definition, suffix)
        if not isinstance(definition, ViewDef):
            waiting += [(container.type, suffix) for container in definition.containers]
    return dict(sorted(found.items()))


def _structure(definition: TypeDef | TableDef | ViewDef, suffix: str) -> Schema:
    title = str(definition.name)
    if isinstance(definition, ViewDef):
        fields = (*definition.partition_key, *definition.clustering_columns, *definition.values)
        schema = answered(fields, (), title=title)
    else:
        document = isinstance(definition, TableDef)
        make = sent if suffix else answered
        schema = make(definition.fields, definition.containers, title=title, document=document)
    if definition.comment:
        schema["description"] = definition.comment
    return schema


def _plain(field: Field) -> Schema:
    kind = field.type
    schema: Schema
    if kind is DataType.BOOL:
        schema = {"type": "boolean"}
    elif kind in (DataType.FLOAT32, DataType.FLOAT64):
        schema = {"type": "number", "format": _FORMATS[kind]}
    elif kind in (DataType.TEXT, DataType.QNAME):
        schema = {"type": "string"}
        if field.max_length is not None:
            schema["maxLength"] = field.max_length
    elif kind is DataType.BYTES:
        schema = {"type": "string", "contentEncoding": "base64"}
    elif kind is DataType.OBJECT:
        schema = {}
    else:
        low, high = int_range(kind) or (-(2**63), 2**63 - 1)
        schema = {"type": "integer", "format": _FORMATS.get(kind, "int64"), "minimum": low, "maximum": high}
    if kind in _NOTES:
        schema["description"] = _NOTES[kind]
    return schema


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else schema
