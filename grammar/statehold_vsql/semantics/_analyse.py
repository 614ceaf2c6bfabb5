from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from statehold_vsql._contract import Contract
from statehold_vsql.appdef import AppDef, QName, TagDef, WorkspaceDef
from statehold_vsql.semantics._access import check_grants, check_role
from statehold_vsql.semantics._application import define_application
from statehold_vsql.semantics._common import workspace_name
from statehold_vsql.semantics._declare import declare_names
from statehold_vsql.semantics._extensions import Extensions
from statehold_vsql.semantics._kinds import resolve_kinds
from statehold_vsql.semantics._limits import check_limit, check_rate
from statehold_vsql.semantics._model import Kind, Model, Package, Symbol, WorkspaceInfo
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._parameters import check_parameter, check_variable
from statehold_vsql.semantics._report import Report
from statehold_vsql.semantics._storages import Storages
from statehold_vsql.semantics._structures import Structures
from statehold_vsql.semantics._tables import check_table, check_type
from statehold_vsql.semantics._views import check_view
from statehold_vsql.semantics._workspaces import check_template, link_workspaces

_D = TypeVar("_D")
_TABLES = frozenset({Kind.TABLE, Kind.DESCRIPTOR})
_EXTENSIONS = frozenset({Kind.COMMAND, Kind.QUERY, Kind.PROJECTOR, Kind.JOB, Kind.FUNCTION})


def analyse(
    packages: list[Package],
    report: Report,
    contracts: Mapping[str, Contract] | None,
    with_plugin: Collection[str],
) -> AppDef | None:
    """Check parsed packages, all of them completely; return the application, None if it has errors."""
    model = Model(packages)
    define_application(model, report)
    declare_names(model, report)
    names = Names(model, report)
    link_workspaces(model, names, report)

    storages = Storages(names, report, contracts, with_plugin)
    for symbol in _of(model, {Kind.STORAGE}):
        symbol.info = storages.check(symbol)
    tables = resolve_kinds(model, names, report)
    structures = Structures(names, report)
    structures.fill_types(_of(model, {Kind.TYPE}))
    structures.fill_tables(tables)
    extensions = Extensions(model, names, report)
    parameters = _check(model, {Kind.PARAMETER}, lambda s: check_parameter(s, report))
    table_defs = _check(model, _TABLES, lambda s: check_table(s, names, report))
    types = _check(model, {Kind.TYPE}, lambda s: check_type(s, report))
    extension_defs = _check(model, _EXTENSIONS, extensions.check)
    views = _check(model, {Kind.VIEW}, lambda s: check_view(s, names, report))
    roles = _check(model, {Kind.ROLE}, lambda s: check_role(s, report))
    grants = check_grants(model, names, report)
    rates = _check(model, {Kind.RATE}, lambda s: check_rate(s, names, report))
    limits = _check(model, {Kind.LIMIT}, lambda s: check_limit(s, names, report))
    variables = _check(model, {Kind.VARIABLE}, lambda s: check_variable(s, report))
    templates = _check(model, {Kind.TEMPLATE}, lambda s: check_template(s, names, report))
    if report.has_errors or model.application is None:
        return None
    return AppDef(
        name=model.application.name.text,
        packages={package.name: package.path for package in packages},
        storages={symbol.qname: symbol.info.definition for symbol in _of(model, {Kind.STORAGE})},
        extensions=extension_defs,
        parameters=parameters,
        workspaces=_workspaces(model),
        tables=table_defs,
        types=types,
        views=views,
        roles=roles,
        grants=grants,
        rates=rates,
        limits=limits,
        tags=_check(model, {Kind.TAG}, _tag),
        variables=variables,
        templates=templates,
    )


def _of(model: Model, kinds: Collection[Kind]) -> list[Symbol]:
    return [symbol for symbol in model.symbols if symbol.kind in kinds]


def _check(model: Model, kinds: Collection[Kind], check: Callable[[Symbol], _D | None]) -> dict[QName, _D]:
    found: dict[QName, _D] = {}
    for symbol in model.symbols:
        if symbol.kind in kinds:
            definition = check(symbol)
            if definition is not None:
                found[symbol.qname] = definition
    return found


def _workspaces(model: Model) -> dict[QName, WorkspaceDef]:
    members: dict[WorkspaceInfo, list[QName]] = {info: [] for info in model.workspaces}
    for symbol in model.symbols:
        if symbol.place.workspace is not None:
            members[symbol.place.workspace].append(symbol.qname)
    return {
        info.symbol.qname: WorkspaceDef(
            name=info.symbol.qname,
            abstract=info.node.abstract,
            alterable=info.node.alterable,
            pool=info.node.pool,
            parent=workspace_name(info.symbol.place),
            inherits=tuple(base.symbol.qname for base in info.inherits),
            descriptor=info.descriptor.qname if info.descriptor is not None else None,
            uses=tuple(dict.fromkeys(info.uses)),
            members=tuple(members[info]),
            comment=info.node.comment,
            position=info.symbol.position,
        )
        for info in model.workspaces
    }


def _tag(symbol: Symbol) -> TagDef:
    feature = symbol.node.feature
    return TagDef(
        name=symbol.qname,
        workspace=workspace_name(symbol.place),
        feature=feature.value if feature is not None else "",
        comment=symbol.node.comment,
        position=symbol.position,
    )
