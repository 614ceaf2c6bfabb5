from __future__ import annotations

from msgspec import Struct, field

from statehold_vsql.appdef import ContainerDef, FieldDef, TableKind
from statehold_vsql.semantics._model import Kind, Model, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report

# The tables of `sys` that give a table its kind, and whether there is one record at most.
_ROOTS = {
    "CDoc": (TableKind.CDOC, False),
    "WDoc": (TableKind.WDOC, False),
    "ODoc": (TableKind.ODOC, False),
    "CRecord": (TableKind.CRECORD, False),
    "WRecord": (TableKind.WRECORD, False),
    "ORecord": (TableKind.ORECORD, False),
    "CSingleton": (TableKind.CDOC, True),
    "WSingleton": (TableKind.WDOC, True),
}


class Structure(Struct, eq=False):
    """What is known of a table, a descriptor or a type."""

    symbol: Symbol
    base: Structure | None = None
    kind: TableKind | None = None
    singleton: bool = False
    # Its kind was reported already.
    is_broken: bool = False
    # Some of its fields are not known: what seems to be undefined may be among them.
    is_incomplete: bool = False
    fields: dict[str, FieldDef] = field(default_factory=dict)
    containers: dict[str, ContainerDef] = field(default_factory=dict)
    # What its `ref` fields may refer to, those it has by a field set included.
    targets: list[tuple[FieldDef, Symbol]] = field(default_factory=list)


def resolve_kinds(model: Model, names: Names, report: Report) -> list[Structure]:
    """Give every table its base and its kind; return them so that a base comes before what it is for."""
    done: list[Structure] = []
    for symbol in model.symbols:
        if symbol.kind is Kind.DESCRIPTOR:
            symbol.info = Structure(symbol, kind=TableKind.CDOC, singleton=True)
            done.append(symbol.info)
    tables = [_link(symbol, names, report) for symbol in model.symbols if symbol.kind is Kind.TABLE]
    entered: set[Structure] = set()
    closed: set[Structure] = set()
    for start in tables:
        stack = [start]
        while stack:
            table = stack[-1]
            if table not in entered:
                entered.add(table)
                for needed in _needs(table):
                    if needed not in entered:
                        stack.append(needed)
                    elif needed not in closed and needed is table.base:
                        _circle(table, report)
                continue
            stack.pop()
            if table not in closed:
                closed.add(table)
                _settle(table, report)
                done.append(table)
    return done


def _link(symbol: Symbol, names: Names, report: Report) -> Structure:
    table = symbol.info or Structure(symbol)
    symbol.info = table
    inherits = symbol.node.inherits
    if inherits is not None:
        base = names.find(inherits, symbol.place, Kind.TABLE)
        if base is None:
            table.is_broken = True
            return table
        if base.info is None:
            base.info = Structure(base)
        table.base = base.info
        if not base.node.abstract and base is not symbol:
            report.error(
                symbol.place,
                inherits.span,
                "base-not-abstract",
                f"table {symbol.qname} INHERITS {base.qname}, which is not abstract",
                f"make it ABSTRACT TABLE {base.name} (at {base.position})",
            )
    return table


def _needs(table: Structure) -> list[Structure]:
    outer = table.symbol.outer
    around = outer.info if isinstance(outer, Symbol) and outer.kind is not Kind.TYPE else None
    return [needed for needed in (around, table.base) if needed is not None and needed.kind is None]


def _circle(table: Structure, report: Report) -> None:
    symbol, base = table.symbol, table.base
    table.base = None
    table.is_broken = True
    if base is not None:
        report.error(
            symbol.place,
            symbol.node.inherits.span,
            "circular-inherits",
            f"table {symbol.qname} INHERITS {base.symbol.qname}, which inherits from it in turn",
            "break the circle at one of its INHERITS",
        )


def _settle(table: Structure, report: Report) -> None:
    symbol, base = table.symbol, table.base
    if symbol.place.package.is_sys and symbol.name in _ROOTS:
        table.kind, table.singleton = _ROOTS[symbol.name]
    elif base is not None:
        table.kind, table.singleton = base.kind, base.singleton
        table.is_broken = table.is_broken or base.is_broken
    if isinstance(symbol.outer, Symbol):
        _settle_nested(table, symbol.outer, report)
    elif table.kind is None and not table.is_broken:
        table.is_broken = True
        report.error(
            symbol.place,
            symbol.head,
            "no-table-kind",
            f"table {symbol.qname} is of no kind: it does not inherit from a table of sys",
            "add INHERITS sys.CDoc, sys.WDoc, sys.ODoc, sys.CSingleton, sys.WSingleton, "
            "or sys.CRecord, sys.WRecord, sys.ORecord for a nested one",
        )


def _settle_nested(table: Structure, outer: Symbol, report: Report) -> None:
    symbol = table.symbol
    around: Structure | None = outer.info
    if symbol.node.abstract:
        table.is_broken = True
        report.error(
            symbol.place,
            symbol.head,
            "nested-abstract",
            f"nested table {symbol.qname} is abstract, so {outer.title} could not hold any record of it",
            "remove ABSTRACT, or move it out of the table",
        )
    if around is None or around.kind is None:
        table.is_broken = True
        return
    expected = around.kind.nested
    if table.base is None and not table.is_broken:
        table.kind = expected
    if table.kind is not None and table.kind is not expected:
        table.is_broken = True
        report.error(
            symbol.place,
            symbol.head,
            "nested-kind",
            f"nested table {symbol.qname} is a {table.kind}, but inside {around.kind} {outer.qname} it "
            f"must be a {expected}",
            f"inherit from sys.{expected}, or leave INHERITS out",
        )
