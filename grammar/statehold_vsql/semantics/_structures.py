from __future__ import annotations

from statehold_vsql._fields import DataType, Field
from statehold_vsql.appdef import ContainerDef, FieldDef, QName, TableKind
from statehold_vsql.semantics._fields import TYPE_WORDS, checked_pattern, field_of, foreign_type
from statehold_vsql.semantics._kinds import Structure
from statehold_vsql.semantics._model import Kind, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_MAX_FIELDS = 65_536
# All structures of an application together, what is inherited or taken over counted again.
_MAX_ALL_FIELDS = 1_000_000

_RECORDS = frozenset({TableKind.CRECORD, TableKind.WRECORD, TableKind.ORECORD})
_O_KINDS = frozenset({TableKind.ODOC, TableKind.ORECORD})
_W_KINDS = frozenset({TableKind.WDOC, TableKind.WRECORD})
_MAY_NOT_REFER: dict[TableKind, frozenset[TableKind]] = {
    TableKind.CDOC: _W_KINDS | _O_KINDS,
    TableKind.CRECORD: _W_KINDS | _O_KINDS,
    TableKind.WDOC: _O_KINDS,
    TableKind.WRECORD: _O_KINDS,
    TableKind.ODOC: frozenset(),
    TableKind.ORECORD: frozenset(),
}


class Structures:
    """Works out fields and containers of types and tables, each after what it takes over."""

    def __init__(self, names: Names, report: Report) -> None:
        self._names = names
        self._report = report
        self._all_fields = 0

    def fill_types(self, symbols: list[Symbol]) -> None:
        """Fill all types; what has a circle in what it includes is reported."""
        for symbol in symbols:
            symbol.info = Structure(symbol)
        entered: set[Symbol] = set()
        closed: set[Symbol] = set()
        for start in symbols:
            stack = [start]
            while stack:
                symbol = stack[-1]
                if symbol not in entered:
                    entered.add(symbol)
                    for item, included in self._includes(symbol):
                        if included not in entered:
                            stack.append(included)
                        elif included not in closed:
                            self._circle(symbol, item, included)
                    continue
                stack.pop()
                if symbol not in closed:
                    closed.add(symbol)
                    self._fill(symbol.info)

    def fill_tables(self, tables: list[Structure]) -> None:
        """Fill all tables and descriptors, which come with every base before what inherits from it."""
        for table in tables:
            base = table.base
            if base is not None and self._may_add(table, len(base.fields)):
                table.fields = dict(base.fields)
                table.containers = dict(base.containers)
                table.is_incomplete = base.is_incomplete
            table.is_incomplete = table.is_incomplete or table.is_broken
            self._fill(table)

    def _includes(self, symbol: Symbol) -> list[tuple[n.Include, Symbol]]:
        return [
            (item, found)
            for item in symbol.node.items
            if isinstance(item, n.Include)
            and (found := self._names.look_up(item.type, symbol.place, Kind.TYPE)) is not None
        ]

    def _circle(self, symbol: Symbol, item: n.Include, included: Symbol) -> None:
        self._report.error(
            symbol.place,
            item.span,
            "circular-include",
            f"type {symbol.qname} takes over the fields of {included.qname}, which takes over its own",
            "break the circle",
        )

    def _may_add(self, structure: Structure, count: int, targets: int = 0) -> bool:
        """Count fields; report, once, that there are more than anything can hold."""
        over = self._all_fields > _MAX_ALL_FIELDS
        self._all_fields += count + targets
        is_too_big = len(structure.fields) + count > _MAX_FIELDS
        if not is_too_big and self._all_fields <= _MAX_ALL_FIELDS:
            return True
        structure.is_incomplete = True
        if not over:
            limit = f"{_MAX_FIELDS:,}" if is_too_big else f"{_MAX_ALL_FIELDS:,} in all"
            symbol = structure.symbol
            self._report.error(
                symbol.place,
                symbol.head,
                "too-many-fields",
                f"with {symbol.title} there are more fields than the {limit} that are possible, "
                "inherited fields and field sets counted",
                "split it",
            )
        return False

    def _fill(self, structure: Structure) -> None:
        symbol = structure.symbol
        is_type = symbol.kind is Kind.TYPE
        for item in symbol.node.items:
            if isinstance(item, n.Field):
                self._field(structure, item, is_type=is_type)
            elif isinstance(item, n.RefField):
                self._ref_field(structure, item)
            elif isinstance(item, n.Include):
                self._include(structure, item)
            elif isinstance(item, n.NestedTable):
                if is_type:
                    self._report.error(
                        symbol.place,
                        item.name.span,
                        "nested-in-type",
                        f"type {symbol.qname} has a table {item.table.name} inside; only tables can",
                        f"declare it as a type of its own, and {item.name} of that type",
                    )
                nested = QName(symbol.qname.package, item.table.name.text)
                self._add_container(structure, item.name, ContainerDef(name=item.name.text, type=nested))

    def _is_free(self, structure: Structure, name: str, span: n.Span, what: str = "") -> bool:
        if name not in structure.fields and name not in structure.containers:
            return True
        symbol = structure.symbol
        base = structure.base
        inherited = base is not None and (name in base.fields or name in base.containers)
        origin = f", inherited from {base.symbol.qname}" if inherited and base is not None else ""
        self._report.error(
            symbol.place,
            span,
            "duplicate-field",
            f"{what or f'field {name}'}: {symbol.title} has a field {name} already{origin}",
            "give one of them another name",
        )
        return False

    def _add_field(self, structure: Structure, span: n.Span, field: FieldDef) -> None:
        if self._is_free(structure, field.field.name, span) and self._may_add(structure, 1):
            structure.fields[field.field.name] = field

    def _add_container(self, structure: Structure, name: n.Name, container: ContainerDef) -> None:
        if self._is_free(structure, name.text, name.span):
            structure.containers[name.text] = container

    def _field(self, structure: Structure, item: n.Field, *, is_type: bool) -> None:
        place = structure.symbol.place
        pattern = checked_pattern(item, place, self._report)
        if isinstance(item.type, n.NameRef):
            self._object_field(structure, item, item.type, is_type=is_type)
            return
        field = field_of(item.name, item.type, place, self._report, required=item.not_null, blob=not is_type)
        default = item.default.value if item.default is not None else None
        self._add_field(
            structure,
            item.name.span,
            FieldDef(field=field, default=default, verifiable=item.verifiable, pattern=pattern),
        )

    def _object_field(self, structure: Structure, item: n.Field, ref: n.NameRef, *, is_type: bool) -> None:
        place = structure.symbol.place
        expected, kind = ("data type or type", Kind.TYPE) if is_type else ("data type or table", Kind.TABLE)
        hint = foreign_type(ref.text)
        found = self._names.find(ref, place, kind, expected=expected, words=TYPE_WORDS, hint=hint)
        if found is not None and kind is Kind.TABLE:
            self._check_nested(structure, item, ref, found)
        qname = found.qname if found is not None else QName(ref.package, ref.name)
        container = ContainerDef(name=item.name.text, type=qname, required=item.not_null)
        self._add_container(structure, item.name, container)

    def _check_nested(self, structure: Structure, item: n.Field, ref: n.NameRef, found: Symbol) -> None:
        symbol, nested = structure.symbol, found.info
        if found.node.abstract:
            self._report.error(
                symbol.place,
                ref.span,
                "nested-abstract",
                f"field {item.name} holds records of {found.qname}, which is abstract",
                f"use a table that inherits from {found.qname}",
            )
        elif nested.kind is None or nested.is_broken or structure.kind is None:
            return
        elif nested.kind not in _RECORDS:
            self._report.error(
                symbol.place,
                ref.span,
                "nested-document",
                f"field {item.name}: {found.qname} is a {nested.kind}, which cannot be inside another table",
                f"use `{item.name} ref({ref.text})`, or let {found.name} inherit from "
                f"sys.{structure.kind.nested}",
            )
        elif nested.kind is not structure.kind.nested:
            self._report.error(
                symbol.place,
                ref.span,
                "nested-kind",
                f"field {item.name}: {found.qname} is a {nested.kind}, but inside {structure.kind} "
                f"{symbol.qname} it must be a {structure.kind.nested}",
                f"let {found.name} inherit from sys.{structure.kind.nested}",
            )

    def _ref_field(self, structure: Structure, item: n.RefField) -> None:
        symbol = structure.symbol
        field = ref_field(symbol, item, self._names, self._report)
        self._add_field(structure, item.name.span, field)
        for target in item.targets:
            found = self._names.look_up(target, symbol.place, Kind.TABLE)
            if found is not None:
                self._refer(structure, field, found, target.span)

    def _refer(self, structure: Structure, field: FieldDef, target: Symbol, at: n.Span) -> None:
        kind = structure.kind
        if kind is None:
            structure.targets.append((field, target))
        elif target.info.kind in _MAY_NOT_REFER[kind]:
            self._report.error(
                structure.symbol.place,
                at,
                "reference-kind",
                f"field {field.field.name}: {kind} {structure.symbol.qname} cannot refer to "
                f"{target.info.kind} {target.qname}",
                "configuration may refer to configuration only, workflow to both, operations to anything",
            )

    def _include(self, structure: Structure, item: n.Include) -> None:
        symbol = structure.symbol
        hint = f"a field has a type behind its name: `{item.type.name} int`" if not item.type.package else ""
        found = self._names.find(item.type, symbol.place, Kind.TYPE, hint=hint)
        if found is None:
            structure.is_incomplete = True
            return
        included: Structure = found.info
        structure.is_incomplete = structure.is_incomplete or included.is_incomplete
        if not self._may_add(structure, len(included.fields), len(included.targets)):
            return
        what = f"field set {found.qname}"
        for name, field in included.fields.items():
            if self._is_free(structure, name, item.span, what):
                structure.fields[name] = field
        for field, target in included.targets:
            self._refer(structure, field, target, item.span)
        if symbol.kind is Kind.TYPE:
            for name, container in included.containers.items():
                if self._is_free(structure, name, item.span, what):
                    structure.containers[name] = container
        elif included.containers:
            name = next(iter(included.containers))
            self._report.error(
                symbol.place,
                item.span,
                "object-in-table",
                f"{what}: its field {name} is an object of a type, which a table cannot hold",
                "take over a type that has only plain fields",
            )


def ref_field(symbol: Symbol, item: n.RefField, names: Names, report: Report) -> FieldDef:
    """Return a `ref` field of a table, type or view, its targets resolved and checked."""
    targets: list[QName] = []
    for target in item.targets:
        found = names.find(target, symbol.place, Kind.TABLE)
        if found is None:
            continue
        if found.node.abstract:
            report.error(
                symbol.place,
                target.span,
                "reference-to-abstract",
                f"field {item.name} refers to {found.qname}, which is abstract and has no records",
                f"refer to the tables that inherit from {found.name}, or leave the parentheses out",
            )
        targets.append(found.qname)
    field = Field(item.name.text, DataType.REF, required=item.not_null)
    return FieldDef(field=field, references=tuple(targets))
