from __future__ import annotations

from statehold_vsql.appdef import TableDef, TypeDef, UniqueDef
from statehold_vsql.semantics._common import tag_names
from statehold_vsql.semantics._kinds import Structure
from statehold_vsql.semantics._model import Kind, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n


def check_table(symbol: Symbol, names: Names, report: Report) -> TableDef | None:
    """Check constraints and tags of a table or descriptor; return it, or None if it is not known whole."""
    structure: Structure = symbol.info
    node = symbol.node
    is_descriptor = symbol.kind is Kind.DESCRIPTOR
    uniques, unique_field = _uniques(symbol, structure, report)
    tags = () if is_descriptor else tag_names(node.tags, symbol.place, names)
    if structure.kind is None or symbol.place.workspace is None:
        return None
    return TableDef(
        name=symbol.qname,
        kind=structure.kind,
        workspace=symbol.place.workspace.symbol.qname,
        abstract=not is_descriptor and node.abstract,
        singleton=structure.singleton,
        descriptor=is_descriptor,
        inherits=structure.base.symbol.qname if structure.base is not None else None,
        fields=tuple(structure.fields.values()),
        containers=tuple(structure.containers.values()),
        uniques=uniques,
        unique_field=unique_field,
        tags=tags,
        comment=node.comment,
        position=symbol.position,
    )


def check_type(symbol: Symbol, report: Report) -> TypeDef | None:
    """Check constraints of a type; return it, or None if its workspace is not known."""
    structure: Structure = symbol.info
    _uniques(symbol, structure, report)
    if symbol.place.workspace is None:
        return None
    return TypeDef(
        name=symbol.qname,
        workspace=symbol.place.workspace.symbol.qname,
        fields=tuple(structure.fields.values()),
        containers=tuple(structure.containers.values()),
        comment=symbol.node.comment,
        position=symbol.position,
    )


def _uniques(
    symbol: Symbol, structure: Structure, report: Report
) -> tuple[tuple[UniqueDef, ...], str | None]:
    constraints: dict[str, n.Name] = {}
    used: dict[str, n.Name] = {}
    found: list[UniqueDef] = []
    unique_field: str | None = None
    unnamed = 0
    place = symbol.place
    for item in symbol.node.items:
        if not isinstance(item, n.UniqueField | n.Unique | n.Check):
            continue
        if item.constraint is not None:
            first = constraints.setdefault(item.constraint.text, item.constraint)
            if first is not item.constraint:
                report.error(
                    place,
                    item.constraint.span,
                    "duplicate-constraint",
                    f"{symbol.title} has a constraint {first} already, at {place.position(first.span)}",
                    "give one of them another name",
                )
                continue
        if isinstance(item, n.UniqueField):
            if _may_be_unique(symbol, structure, item.field, report):
                unique_field = item.field.text
        elif isinstance(item, n.Unique):
            for name in item.fields:
                other = used.setdefault(name.text, name)
                if other is not name:
                    report.error(
                        place,
                        name.span,
                        "duplicate-unique",
                        f"field {name} of {symbol.title} is unique already, at {place.position(other.span)}",
                        "a field can be part of one UNIQUE only",
                    )
                else:
                    _may_be_unique(symbol, structure, name, report)
            unnamed += item.constraint is None
            label = item.constraint.text if item.constraint is not None else f"{unnamed:02d}"
            found.append(UniqueDef(name=label, fields=tuple(name.text for name in item.fields)))
    return tuple(found), unique_field


def _may_be_unique(symbol: Symbol, structure: Structure, name: n.Name, report: Report) -> bool:
    if name.text == "WSID":
        report.error(
            symbol.place,
            name.span,
            "reserved-field",
            f"{symbol.title} has a UNIQUE of WSID, which every key has by itself, those of sys.Uniq too",
            "give the field another name",
        )
        return False
    return _has_field(symbol, structure, name, report)


def _has_field(symbol: Symbol, structure: Structure, name: n.Name, report: Report) -> bool:
    if name.text in structure.fields:
        return True
    if not structure.is_incomplete and name.text not in symbol.place.package.damaged:
        hint = report.nearest_field(name.text, structure.fields)
        message = f"{symbol.title} has no field {name}"
        report.error(symbol.place, name.span, "undefined-field", message, hint)
    return False
