from __future__ import annotations

from statehold_vsql._fields import DataType
from statehold_vsql._words import ExtensionEngine, ExtensionKind
from statehold_vsql.appdef import (
    ANY,
    ArgumentDef,
    ExtensionDef,
    QName,
    TableKind,
    TriggerAction,
    TriggerDef,
)
from statehold_vsql.semantics._common import tag_names, workspace_name
from statehold_vsql.semantics._cron import schedule_error
from statehold_vsql.semantics._model import Kind, Model, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.semantics._uses import StorageUses
from statehold_vsql.syntax import nodes as n

_KINDS: dict[type, ExtensionKind] = {
    n.Command: ExtensionKind.COMMAND,
    n.Query: ExtensionKind.QUERY,
    n.Projector: ExtensionKind.PROJECTOR,
    n.Job: ExtensionKind.JOB,
    n.Function: ExtensionKind.FUNCTION,
}
_O_KINDS = frozenset({TableKind.ODOC, TableKind.ORECORD})
_ANY_RECORD = frozenset({"CRecord", "WRecord"})


class Extensions:
    """Checks commands, queries, projectors, jobs and functions."""

    def __init__(self, model: Model, names: Names, report: Report) -> None:
        self._model = model
        self._names = names
        self._report = report
        self._uses = StorageUses(names, report)

    def check(self, symbol: Symbol) -> ExtensionDef:
        """Check one extension."""
        node = symbol.node
        if isinstance(node, n.Function):
            return self._function(symbol, node)
        kind = _KINDS[type(node)]
        intents = () if isinstance(node, n.Query) else node.intents
        parameter = unlogged = returns = None
        triggers: tuple[TriggerDef, ...] = ()
        if isinstance(node, n.Command):
            parameter = self._param(symbol, node.argument, Kind.TYPE, Kind.TABLE)
            unlogged = self._param(symbol, node.unlogged, Kind.TYPE, Kind.TABLE)
            returns = self._param(symbol, node.returns, Kind.TYPE, Kind.TABLE)
        elif isinstance(node, n.Query):
            parameter = self._param(symbol, node.argument, Kind.TYPE)
            returns = self._param(symbol, node.returns, Kind.TYPE)
            self._check_returns(symbol, node)
        elif isinstance(node, n.Projector):
            triggers = self._triggers(symbol, node)
        else:
            self._check_job(symbol, node)
        return ExtensionDef(
            name=symbol.qname,
            kind=kind,
            engine=_engine(symbol),
            workspace=workspace_name(symbol.place),
            state=self._uses.check(symbol, kind, "STATE", node.state),
            intents=self._uses.check(symbol, kind, "INTENTS", intents),
            sync=isinstance(node, n.Projector) and node.sync,
            parameter=parameter,
            unlogged=unlogged,
            returns=returns,
            triggers=triggers,
            including_errors=isinstance(node, n.Projector) and node.including_errors,
            schedule=node.schedule.value if isinstance(node, n.Job) and node.schedule is not None else None,
            tags=tag_names(node.tags, symbol.place, self._names)
            if isinstance(node, n.Command | n.Query)
            else (),
            comment=node.comment,
            position=symbol.position,
        )

    def _function(self, symbol: Symbol, node: n.Function) -> ExtensionDef:
        # What a function takes and returns are the engine's own types as well; they are not resolved.
        arguments = tuple(
            ArgumentDef(param.name.text if param.name is not None else "", _type_use(symbol, param.type))
            for param in node.params
        )
        return ExtensionDef(
            name=symbol.qname,
            kind=ExtensionKind.FUNCTION,
            engine=_engine(symbol),
            workspace=workspace_name(symbol.place),
            arguments=arguments,
            result=_type_use(symbol, node.returns),
            comment=node.comment,
            position=symbol.position,
        )

    def _param(self, symbol: Symbol, param: n.Param | None, *kinds: Kind) -> QName | None:
        if param is None or param.kind is n.ParamKind.VOID:
            return None
        if param.type is None:
            return ANY
        found = self._names.find(param.type, symbol.place, *kinds, words=("any", "void"))
        return found.qname if found is not None else None

    def _check_returns(self, symbol: Symbol, node: n.Query) -> None:
        if node.returns is None and not node.is_partial:
            self._report.error(
                symbol.place,
                symbol.head,
                "query-without-returns",
                f"QUERY {node.name} does not say what it returns",
                "add RETURNS with a type, or with `any` or `void`",
            )

    def _check_job(self, symbol: Symbol, node: n.Job) -> None:
        place = symbol.place
        workspace = place.workspace.symbol if place.workspace is not None else None
        # At the root nothing but functions is possible, which the parser reports.
        if workspace is not None and not (
            workspace.name == "AppWorkspaceWS" and workspace.place.package.is_sys
        ):
            self._report.error(
                place,
                symbol.head,
                "job-outside-app-workspace",
                f"JOB {node.name} is declared in {workspace.qname}, but jobs run in sys.AppWorkspaceWS only",
                "declare it inside ALTER WORKSPACE sys.AppWorkspaceWS (...)",
            )
        if node.schedule is None:
            if not node.is_partial:
                self._report.error(
                    place,
                    symbol.head,
                    "job-without-schedule",
                    f"JOB {node.name} does not say when it runs",
                    f"write JOB {node.name} '0 * * * *' or JOB {node.name} '@every 10m'",
                )
            return
        wrong = schedule_error(node.schedule.value)
        if wrong:
            self._report.error(
                place, node.schedule.span, "invalid-schedule", f"the schedule of JOB {node.name}: {wrong}"
            )

    def _triggers(self, symbol: Symbol, node: n.Projector) -> tuple[TriggerDef, ...]:
        found: list[TriggerDef] = []
        for trigger in node.triggers:
            if isinstance(trigger, n.CronTrigger):
                self._report.error(
                    symbol.place,
                    trigger.span,
                    "scheduled-projector",
                    f"PROJECTOR {node.name} is to run by the clock, which projectors no longer do",
                    f"use JOB {node.name} '{trigger.schedule.value}' in ALTER WORKSPACE sys.AppWorkspaceWS",
                )
                continue
            actions = tuple(TriggerAction(word.action.value) for word in trigger.actions)
            targets = (self._target(symbol, actions, ref) for ref in trigger.targets)
            found.append(
                TriggerDef(actions=actions, targets=tuple(target for target in targets if target is not None))
            )
        return tuple(found)

    def _target(self, symbol: Symbol, actions: tuple[TriggerAction, ...], ref: n.NameRef) -> QName | None:
        place = symbol.place
        if TriggerAction.EXECUTE in actions:
            found = self._names.find(ref, place, Kind.COMMAND)
        elif TriggerAction.EXECUTE_WITH_PARAM in actions:
            found = self._names.find(ref, place, Kind.TYPE, Kind.TABLE, expected="type or ODoc table")
            kind = found.info.kind if found is not None and found.kind is Kind.TABLE else TableKind.ODOC
            if found is not None and kind not in (TableKind.ODOC, None):
                self._report.error(
                    place,
                    ref.span,
                    "undefined-type",
                    f"{found.qname} is a {kind}, but a command can only be given a type or an ODoc",
                    "name the type that the commands take",
                )
        else:
            found = self._names.find(ref, place, Kind.TABLE, Kind.DESCRIPTOR, expected="table")
            if found is not None and found.kind is Kind.TABLE:
                self._check_table(symbol, actions, ref, found)
        return found.qname if found is not None else None

    def _check_table(
        self, symbol: Symbol, actions: tuple[TriggerAction, ...], ref: n.NameRef, found: Symbol
    ) -> None:
        is_any_record = found.place.package.is_sys and found.name in _ANY_RECORD
        if found.node.abstract and not is_any_record:
            self._report.error(
                symbol.place,
                ref.span,
                "abstract-entity",
                f"table {found.qname} is abstract and has no records to wait for",
                f"name the tables that inherit from {found.name}, or sys.CRecord or sys.WRecord for any",
            )
        if found.info.kind in _O_KINDS and any(action is not TriggerAction.INSERT for action in actions):
            self._report.error(
                symbol.place,
                ref.span,
                "insert-only",
                f"table {found.qname} is an {found.info.kind}, whose records are only ever inserted",
                "write AFTER INSERT ON it, apart from other actions",
            )


def _engine(symbol: Symbol) -> ExtensionEngine:
    block: n.ExtensionBlock = symbol.outer
    return block.engine


def _type_use(symbol: Symbol, use: n.TypeUse) -> DataType | QName:
    if isinstance(use, n.TypeName):
        return use.type
    return QName(use.package or symbol.qname.package, use.name)
