from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, final

from statehold.events import Event, Triggers
from statehold.extensions.python import compile_runner, top_name
from statehold.hosting import Partition, Rehearsal
from statehold.sdk import CallContext, Principal, Scope, StateholdError
from statehold.sdk import fields as fields_of
from statehold.state import Slot, State, ValueBuilder
from statehold.testing._clock import FakeClock
from statehold.testing.extensions._cast import Cast
from statehold.testing.extensions._changes import Change, Insert, Update, plain
from statehold.testing.extensions._given import Given
from statehold.testing.extensions._http import HttpMock
from statehold.testing.extensions._mail import MailMock
from statehold.testing.extensions._run import Run, as_dict
from statehold.testing.extensions._traceback import only_of_others
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ANY, ExtensionDef

_LEVELS = ("none", "error", "warning", "info", "debug", "trace")
__tracebackhide__ = True  # of a test that fails, pytest shows the test's own lines
_ANSWERS = ("sys.Result", "sys.Response", "sys.Logger")

Function = Callable[[Any], Any]
E = TypeVar("E", bound=Event | None)


@final
class Stage(Given):
    """An application in the state that a test gives it, in which one extension after the other is run.

    Storages are named as the code names them: `Bills`, `View.Turnover`, `Record.Bill`. A workspace of the
    right kind is made when one is needed; `workspace=` and `WSID=` name another.

    Attributes:
        clock: the time; it stands still until it is turned.
        principal: who makes requests, where a call names nobody else.
        http: answers `sys.Http`, as it is told.
        mail: takes the mails of `sys.SendMail`.
        secrets: what `sys.AppSecret` finds, by name; at first the secrets of the project.

    """

    def __init__(self, rehearsal: Rehearsal, partition: Partition, clock: FakeClock, cast: Cast) -> None:
        super().__init__(rehearsal, partition, clock, cast)
        self._triggers = Triggers(partition.schemas)
        self.principal: Principal | None = Principal(name="tester", kind=1)
        self.http: HttpMock = cast.http
        self.mail: MailMock = cast.mail
        self.secrets: dict[str, str] = cast.secrets.secrets

    def module(self, name: str) -> ModuleType:
        """Return a module of the application's code, `prices` or `tea.extensions.prices`."""
        self._rehearsal.check_code()
        whole = name if "." in name else f"{top_name(self._places.package)}.extensions.{name}"
        return self._rehearsal.module(whole)

    def command(
        self,
        name: str,
        /,
        arg: object = None,
        *,
        unlogged: object = None,
        principal: Principal | None = None,
        workspace: int | None = None,
        function: Function | None = None,
    ) -> Run[Event]:
        """Run a command.

        Args:
            name: its name.
            arg: its argument, the fields as a dict.
            unlogged: the argument that is not logged.
            principal: who asks, if not the one of the stage.
            workspace: where, if not in a workspace of the right kind.
            function: the function to run in place of the one in the project's code.

        Raises:
            CodeError: it failed.
            StateholdError: what a host would raise: for a storage that is not declared, a field that does
                not fit, a unique value that is there already.

        """
        definition = self._places.extension(name, ExtensionKind.COMMAND)
        place = workspace or self._places.workspace(definition.name)
        unit = self._partition.data.begin(self._schemas)
        argument = self._argument(definition, arg)
        answers = _Answers()
        call = CallContext(
            scope=Scope.COMMANDS,
            workspace=place,
            extension=str(definition.name),
            unit=unit,
            argument=argument,
            unlogged=self._argument(definition, unlogged, unlogged=True),
            offset=unit.next_offset(place),
            principal=principal or self.principal,
            result=answers.results.append,
            response=answers.respond,
            time=self.clock.now(),
        )
        state, run = self._run(definition, call, answers, function)
        state.validate_intents()
        state.stage()
        made: list[Event] = []
        if answers.status == 200:
            made.append(unit.append(str(definition.name), place, registered_at=self._now, argument=argument))

        def commit() -> Event:
            unit.commit()
            state.settle()
            return made[0]

        return run(commit)

    def query(
        self,
        name: str,
        /,
        arg: object = None,
        *,
        principal: Principal | None = None,
        workspace: int | None = None,
        function: Function | None = None,
    ) -> Run[None]:
        """Run a query; arguments and errors are those of `command`."""
        definition = self._places.extension(name, ExtensionKind.QUERY)
        answers = _Answers()
        call = CallContext(
            scope=Scope.QUERIES,
            workspace=workspace or self._places.workspace(definition.name),
            extension=str(definition.name),
            unit=self._partition.data.reader(self._schemas),
            argument=self._argument(definition, arg),
            principal=principal or self.principal,
            result=answers.results.append,
            response=answers.respond,
            time=self.clock.now(),
        )
        state, run = self._run(definition, call, answers, function)
        state.apply_intents()
        return run(lambda: None)

    def projector(self, name: str, event: Event, /, *, function: Function | None = None) -> Run[None]:
        """Run a projector for an event, such as `event` or `commit` of a command returned.

        Raises:
            StateholdError: the event does not wake it, so that a host would not run it.

        """
        definition = self._places.extension(name, ExtensionKind.PROJECTOR)
        if not isinstance(event, Event):
            raise TypeError(f"expected an event, of event(...) or of a command's commit(), got {event!r:.60}")
        kind = self._partition.data.reader(self._schemas).kind(event.workspace)
        if not self._triggers.wakes(str(definition.name), event, kind):
            raise StateholdError(
                f"this event of {event.name} does not wake PROJECTOR {definition.name}, which is declared at "
                f"{definition.position}",
                hint="Give it one of a command, or with changes of a table, that it waits for",
            )
        return self._work(
            definition,
            event.workspace,
            function,
            event=event,
            offset=event.wlog_offset,
            time=event.registered_at / 1000,
        )

    def job(
        self,
        name: str,
        /,
        *,
        time: float | None = None,
        workspace: int | None = None,
        function: Function | None = None,
    ) -> Run[None]:
        """Run a job that is due at *time*, by default now."""
        definition = self._places.extension(name, ExtensionKind.JOB)
        place = workspace or self._places.workspace(definition.name)
        return self._work(definition, place, function, time=self.clock.now() if time is None else time)

    def _work(
        self, definition: ExtensionDef, workspace: int, function: Function | None, **more: Any
    ) -> Run[None]:
        unit = self._partition.data.begin(self._schemas)
        scope = definition.kind.scope
        assert scope is not None  # noqa: S101 - projectors and jobs have one
        call = CallContext(
            scope=scope, workspace=workspace, extension=str(definition.name), unit=unit, **more
        )
        state, run = self._run(definition, call, _Answers(), function)
        state.validate_intents()
        state.stage()

        def commit() -> None:
            unit.commit()
            state.settle()

        return run(commit)

    def _run(
        self, definition: ExtensionDef, call: CallContext, answers: _Answers, function: Function | None
    ) -> tuple[State, Callable[[Callable[[], E]], Run[E]]]:
        runner = self._partition.extension(str(definition.name))
        state = runner.state(call)
        if function is None:
            self._rehearsal.check_code()
        try:
            if function is None:
                runner.invoke(state, call)
            else:
                compile_runner(self._rehearsal.context, self._file, definition, function)(state)
        except StateholdError as error:
            raise only_of_others(error) from error.__cause__
        is_any = definition.returns == ANY
        changes, log = [], []
        for slot, builder in state.asked():
            if slot.storage == "sys.Logger":
                level, text = builder.key["LogLevel"], builder.fields.get("Message")
                log.append((_LEVELS[level if isinstance(level, int) else 0], str(text or "")))
            elif slot.storage not in _ANSWERS:
                changes.append(self._change(slot, builder, call.workspace))

        data, is_logged = self._partition.data, definition.kind is ExtensionKind.COMMAND
        offset = data.next_offset(self._schemas)

        def run(commit: Callable[[], E]) -> Run[E]:
            left = [commit]

            def once() -> E:
                if not left:
                    raise AssertionError(f"{state.name} has been committed: run it again")
                if is_logged and data.next_offset(self._schemas) != offset:
                    raise AssertionError(f"{state.name} ran before the last event was made: run it again")
                return left.pop()()

            return Run(
                who=state.name,
                changes=tuple(changes),
                results=tuple(plain(value.Value if is_any else value) for value in answers.results),
                status=answers.status,
                message=answers.message,
                log=tuple(log),
                commit=once,
            )

        return state, run

    def _change(self, slot: Slot, builder: ValueBuilder, workspace: int) -> Change:
        key = as_dict(fields_of(builder.key))
        if key["WSID"] == workspace:
            del key["WSID"]
        if not builder.is_new and not key and slot.entity is not None:
            # A record says itself which one it is.
            key["ID"] = builder.build().value["sys.ID"]
        name = self._places.names.get((slot.storage, slot.entity), str(slot))
        fields = {name: plain(value) for name, value in builder.fields.items()}
        return (Insert if builder.is_new else Update)(name, **{**key, **fields, **key})

    def _file(self, filename: str) -> str | None:
        path = Path(filename)
        return filename if path.is_absolute() and not _is_installed(path) else None


def _is_installed(path: Path) -> bool:
    return "site-packages" in path.parts or "statehold" in path.parts


class _Answers:
    """Takes what a command or a query answers."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.status = 200
        self.message = ""

    def respond(self, status: int, message: str) -> None:
        self.status, self.message = status, message
