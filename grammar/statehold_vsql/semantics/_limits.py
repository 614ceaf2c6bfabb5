from __future__ import annotations

from statehold_vsql.appdef import AccessKind, AccessOperation, LimitDef, RateDef, RateScope, RateUnit
from statehold_vsql.semantics._access import TARGETS
from statehold_vsql.semantics._common import is_reported, one_of, workspace_name
from statehold_vsql.semantics._model import Kind, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_FORBID = "to forbid something altogether, REVOKE it"


def check_rate(symbol: Symbol, names: Names, report: Report) -> RateDef:
    """Check a rate: its numbers are positive, and its variable is declared."""
    node: n.Rate = symbol.node
    count, variable = 0, None
    if isinstance(node.count, n.Number):
        count = node.count.value
        if not is_reported(node.count):
            _check_positive(symbol, count, node.count.span, "the count", report, hint=_FORBID)
    else:
        found = names.find(node.count, symbol.place, Kind.VARIABLE)
        if found is not None:
            variable = found.qname
            count = found.node.default.value
            what = f"the DEFAULT of {found.qname}"
            _check_positive(symbol, count, node.count.span, what, report, hint=_FORBID)
    if node.period is not None and not is_reported(node.period):
        _check_positive(symbol, node.period.value, node.period.span, "the period", report)
    scopes = [RateScope(node.object_scope or RateScope.APP_PARTITION)]
    if node.subject_scope:
        scopes.append(RateScope(node.subject_scope))
    return RateDef(
        name=symbol.qname,
        count=count,
        period=node.period.value if node.period is not None else 1,
        unit=RateUnit(node.unit.value),
        workspace=workspace_name(symbol.place),
        variable=variable,
        scopes=tuple(scopes),
        comment=node.comment,
        position=symbol.position,
    )


def _check_positive(
    symbol: Symbol, value: int, span: n.Span, what: str, report: Report, *, hint: str = ""
) -> None:
    if value < 1:
        report.error(
            symbol.place,
            span,
            "not-positive",
            f"RATE {symbol.name}: {what} is {value}, but must be at least 1",
            hint,
        )


def check_limit(symbol: Symbol, names: Names, report: Report) -> LimitDef | None:
    """Check a limit; return it, or None if what it names is not known."""
    node: n.Limit = symbol.node
    place = symbol.place
    target = node.target
    kind = AccessKind(target.kind.value)
    rate = names.find(node.rate, place, Kind.RATE)
    # Descriptors have no limits of their own; those ON ALL TABLES apply to them.
    kinds = (Kind.TABLE,) if kind is AccessKind.TABLE else TARGETS[target.kind]
    about = names.find(target.name, place, *kinds) if target.name is not None else None
    tag = names.find(target.tag, place, Kind.TAG) if target.tag is not None else None
    operations: list[AccessOperation] = []
    for word in node.actions:
        if word.action is n.Action.ALL or word.action.value not in kind.operations:
            report.error(
                place,
                word.span,
                "operation-not-allowed",
                f"LIMIT {symbol.name}: {word.action} cannot be limited on a {kind.lower()}",
                f"name {one_of(list(kind.operations))}, or nothing for all that is possible",
            )
            continue
        operations.append(AccessOperation(word.action.value))
    if rate is None or place.workspace is None:
        return None
    return LimitDef(
        name=symbol.qname,
        workspace=place.workspace.symbol.qname,
        operations=tuple(operations) or kind.operations,
        kind=kind,
        rate=rate.qname,
        target=about.qname if about is not None else None,
        tag=tag.qname if tag is not None else None,
        each=target.reach is n.Reach.EACH,
        comment=node.comment,
        position=symbol.position,
    )
