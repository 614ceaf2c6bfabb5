from __future__ import annotations

from msgspec import Struct

from statehold_vsql._fields import DataType, Field
from statehold_vsql.appdef import FieldDef, ViewDef
from statehold_vsql.semantics._common import tag_names
from statehold_vsql.semantics._fields import field_of
from statehold_vsql.semantics._model import Kind, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.semantics._structures import ref_field
from statehold_vsql.syntax import nodes as n

_SIZED = {DataType.TEXT: "text", DataType.BYTES: "bytes"}


class FilledViews(Struct, frozen=True, kw_only=True):
    """The views that a projector or job has an intent for.

    `names` are those written without a package, found or not: a name that is not visible to the
    projector is reported there, not at the view as well.
    """

    views: set[Symbol]
    names: set[str]
    is_complete: bool


def check_view(symbol: Symbol, names: Names, report: Report) -> ViewDef | None:
    """Check a view; return it, or None if its key or its workspace is not known."""
    node: n.View = symbol.node
    fields, primary_key = _items(symbol, names, report)
    symbol.info = fields
    tags = tag_names(node.tags, symbol.place, names)
    if primary_key is None:
        if not node.is_partial:
            report.error(
                symbol.place,
                symbol.head,
                "no-primary-key",
                f"view {symbol.qname} has no PRIMARY KEY",
                "add PRIMARY KEY ((partition fields), clustering columns)",
            )
    else:
        _check_key(symbol, fields, primary_key, report)
    filler = _check_result_of(symbol, names, report)
    if primary_key is None or filler is None or symbol.place.workspace is None:
        return None
    partition = {name.text for name in primary_key.partition}
    clustering = {name.text for name in primary_key.clustering}
    return ViewDef(
        name=symbol.qname,
        workspace=symbol.place.workspace.symbol.qname,
        partition_key=tuple(fields[name.text] for name in primary_key.partition if name.text in fields),
        clustering_columns=tuple(fields[name.text] for name in primary_key.clustering if name.text in fields),
        values=tuple(f for name, f in fields.items() if name not in partition and name not in clustering),
        result_of=filler.qname,
        tags=tags,
        comment=node.comment,
        position=symbol.position,
    )


def _items(symbol: Symbol, names: Names, report: Report) -> tuple[dict[str, FieldDef], n.PrimaryKey | None]:
    fields: dict[str, FieldDef] = {}
    primary_key: n.PrimaryKey | None = None
    place = symbol.place
    for item in symbol.node.items:
        if isinstance(item, n.PrimaryKey):
            if primary_key is not None:
                report.error(
                    place,
                    item.span,
                    "duplicate-primary-key",
                    f"view {symbol.qname} has a second PRIMARY KEY",
                    f"the first is at {place.position(primary_key.span)}",
                )
            primary_key = primary_key or item
            continue
        if isinstance(item, n.ViewField):
            plain = field_of(item.name, item.type, place, report, required=item.not_null, blob=False)
            field = FieldDef(field=plain)
        elif isinstance(item, n.RefField):
            field = ref_field(symbol, item, names, report)
        else:
            if not place.package.is_sys:
                report.error(
                    place,
                    item.span,
                    "record-outside-sys",
                    f"field {item.name} is a `record`, which only views of package sys may have",
                    "use the fields you need of the record, or a `ref` to it",
                )
            field = FieldDef(field=Field(item.name.text, DataType.BYTES, required=item.not_null), record=True)
        if item.name.text in fields:
            report.error(
                place,
                item.name.span,
                "duplicate-field",
                f"view {symbol.qname} has a field {item.name} already",
                "give one of them another name",
            )
            continue
        fields[item.name.text] = field
    return fields, primary_key


def _check_key(symbol: Symbol, fields: dict[str, FieldDef], key: n.PrimaryKey, report: Report) -> None:
    place = symbol.place
    if not key.partition:
        report.error(
            place,
            key.span,
            "no-partition-key",
            f"the PRIMARY KEY of view {symbol.qname} has no partition key",
            "put the fields that rows are grouped by in parentheses of their own: PRIMARY KEY ((A), B)",
        )
    if not key.clustering:
        report.error(
            place,
            key.span,
            "no-clustering-columns",
            f"the PRIMARY KEY of view {symbol.qname} has no clustering columns",
            "name a field behind the partition key: PRIMARY KEY ((A), B)",
        )
    seen: set[str] = set()
    last = key.clustering[-1] if key.clustering else None
    for at, name in enumerate((*key.partition, *key.clustering)):
        is_partition = at < len(key.partition)
        field = fields.get(name.text)
        if field is None:
            if name.text not in place.package.damaged:
                report.error(
                    place,
                    name.span,
                    "undefined-field",
                    f"view {symbol.qname} has no field {name}",
                    report.nearest_field(name.text, fields),
                )
            continue
        if name.text in seen:
            message = f"field {name} is in the PRIMARY KEY of view {symbol.qname} twice"
            report.error(place, name.span, "duplicate-key-field", message, "leave one out")
            continue
        seen.add(name.text)
        if name.text == "WSID":
            report.error(
                place,
                name.span,
                "reserved-field",
                f"the PRIMARY KEY of view {symbol.qname} names WSID, which every key has by itself",
                "leave it out: rows of one workspace are never those of another; or give it another name",
            )
            continue
        sized = _SIZED.get(field.field.type, "")
        if field.record:
            report.error(
                place,
                name.span,
                "key-field-type",
                f"field {name} is a record, which cannot be part of a PRIMARY KEY",
                "use the record's id: a `ref`",
            )
        elif sized and is_partition:
            report.error(
                place,
                name.span,
                "key-field-type",
                f"field {name} is {sized}, which cannot be part of a partition key",
                "make it the last clustering column, or use a number, qname or ref",
            )
        elif sized and name is not last:
            report.error(
                place,
                name.span,
                "key-field-type",
                f"field {name} is {sized}, which can only be the last clustering column",
                "move it to the end of the PRIMARY KEY",
            )


def _check_result_of(symbol: Symbol, names: Names, report: Report) -> Symbol | None:
    node: n.View = symbol.node
    filler = names.find(node.result_of, symbol.place, Kind.PROJECTOR, Kind.JOB)
    if filler is None or filler.node.is_partial:
        return filler
    if filler.info is None:
        filler.info = _filled_by(filler, names)
    filled: FilledViews = filler.info
    if filled.is_complete and symbol not in filled.views and symbol.name not in filled.names:
        report.error(
            symbol.place,
            node.result_of.span,
            "view-without-intent",
            f"view {symbol.qname} is the result of {filler.title}, which has no intent for it",
            f"add INTENTS(sys.View({symbol.name})) to {filler.name} (at {filler.position})",
        )
    return filler


def _filled_by(filler: Symbol, names: Names) -> FilledViews:
    views: set[Symbol] = set()
    plain: set[str] = set()
    is_complete = True
    for use in filler.node.intents:
        storage = names.look_up(use.storage, filler.place, Kind.STORAGE)
        # One that is not declared is reported where it is used; it may have been meant for views.
        is_complete = is_complete and storage is not None
        if storage is not None and storage.node.entity_view:
            found = (names.look_up(entity, filler.place, Kind.VIEW) for entity in use.entities)
            views.update(view for view in found if view is not None)
            plain.update(entity.name for entity in use.entities if not entity.package)
    return FilledViews(views=views, names=plain, is_complete=is_complete)
