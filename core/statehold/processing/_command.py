from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from statehold.events import Event, EventError, Unit
from statehold.processing._answers import CommandAnswer
from statehold.processing._errors import ResponseError
from statehold.processing._finishing import finish
from statehold.processing._gate import Entry
from statehold.processing._parts import Called
from statehold.processing._request import Request
from statehold.processing._work import Bench, Done
from statehold.sdk import CallContext, Scope, Value
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import AccessOperation

_OK: Final = 200
# Members of enums, each of which a call would look up for longer than it takes to use it.
_COMMAND: Final = ExtensionKind.COMMAND
_EXECUTE: Final = AccessOperation.EXECUTE
_SCOPE: Final = Scope.COMMANDS


class Command:
    """One call of a COMMAND of an app: checked, run, logged with all that it changes."""

    __slots__ = ("_args", "_argument", "_called", "_entry", "_is_valid", "name", "request", "unlogged")

    def __init__(
        self,
        request: Request,
        name: str,
        args: Mapping[str, Any] | None,
        unlogged: Mapping[str, Any] | None,
    ) -> None:
        self.name = name
        self.request = request
        self.unlogged = unlogged
        self._args = args
        self._argument: Any = None
        self._is_valid = False
        #: Set as soon as the request has been let in: only then its failure is anything to log.
        self._entry: Entry | None = None
        self._called: Called | None = None

    def run(self, bench: Bench, unit: Unit) -> Done:
        """Run the command, and the SYNC projectors that its event wakes."""
        self._entry = self._argument = None
        self._is_valid = False
        request, name = self.request, self.name
        parts, gate = bench.parts, bench.gate
        self._called = called = parts.find(_COMMAND, name)
        entry = gate.enter(parts, unit, request)
        gate.check(parts, entry, _EXECUTE, name)
        self._entry = entry
        self._argument = argument = called.argument.from_json(self._args, "args")
        self._is_valid = True
        unlogged = None
        if self.unlogged is not None or called.unlogged.type is not None:
            unlogged = called.unlogged.from_json(self.unlogged, "unloggedArgs")
        workspace = request.workspace
        results: list[Value] = []
        responses: list[tuple[int, str]] = []
        now = bench.now()
        call = CallContext(
            scope=_SCOPE,
            workspace=workspace,
            extension=name,
            unit=unit,
            argument=argument,
            unlogged=unlogged,
            offset=unit.next_offset(workspace),
            origin=request.origin,
            principal=request.principal,
            result=results.append,
            response=lambda status, message: responses.append((status, message)),
            time=now / 1000,
        )
        runner = bench.partition.extension(name)
        state = runner.state(call)
        runner.invoke(state, call)
        state.prepare()
        if responses and responses[-1][0] != _OK:
            status, message = responses[-1]
            raise ResponseError(message or f"{name} answered with status {status}", status=status, qname=name)
        event = unit.append(name, workspace, registered_at=now, argument=argument)
        answer = CommandAnswer(
            offset=event.wlog_offset,
            new_ids=event.new_ids,
            result=_result(results[-1], called) if results else None,
        )
        done = Done(answer, event, [state] if state.intents_count else [])
        return finish(bench, unit, done, kind=entry.kind)

    def failed(self, bench: Bench, unit: Unit, error: Exception) -> Event | None:
        """Log the failure where a projector INCLUDING ERRORS waits for it."""
        entry, called = self._entry, self._called
        if entry is None or called is None:
            return None
        argument = called.definition.parameter
        kind = "" if argument is None else str(argument)
        if not bench.parts.triggers.wants_error(self.name, kind, entry.kind):
            return None
        told = EventError(message=str(error), command=self.name, valid=self._is_valid)
        event = unit.append(
            self.name, self.request.workspace, registered_at=bench.now(), argument=self._argument, error=told
        )
        finish(bench, unit, Done(CommandAnswer(offset=event.wlog_offset, new_ids={}), event), kind=entry.kind)
        return event


def _result(value: Any, called: Called) -> Any:
    """Return what a command returned; of one that may return anything, what stands in `Value`."""
    return value.Value if called.returns_any else value
