from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

from statehold.sdk import Principal
from statehold.state import State

if TYPE_CHECKING:
    from statehold.events import Event


#: Attribute -> what is below it, or the storage and entity that it stands for.
Names = dict[str, Any]


class Namespace:
    """Storages under one name: those of a package, or the tables or views of one storage.

    A name that the extension does not use raises the error that says what to declare.
    """

    _state: State
    _path: ClassVar[tuple[str, ...]] = ()
    #: Returns what there is in the app, used or not.
    _names: ClassVar[staticmethod[[], Names]] = staticmethod(dict)

    def __init__(self, state: State) -> None:
        self._state = state

    def __getattr__(self, name: str) -> Any:
        """Say why there is no such name; those that there are, are found without coming here."""
        if name.startswith("__"):
            raise AttributeError(name)
        known = self._names()
        for part in self._path:
            known = known.get(part, {})
        below = known.get(name)
        while isinstance(below, dict):
            below = next(iter(below.values()))
        if below is not None:
            self._state.uses.slot(*below)
        names = [each for each in dir(self) if not each.startswith("_")]
        near = get_close_matches(name, [*names, *known], n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(names)}"
        who = ".".join(("call", *self._path))
        raise AttributeError(f"{who} has no {name!r}. {hint}", name=name, obj=self)


class Call(Namespace):
    """What the function of an extension gets: its argument, and the storages that its declaration names.

    A command with the declaration ::

        COMMAND PayBill(PayBillParams) STATE(Bills) INTENTS(Bills, sys.Response);

    is a function of one argument, marked with `@extension`, in any module of its package's `extensions`
    folder::

        from statehold.sdk import extension

        @extension
        def pay_bill(call):
            bill = call.Bills.must_get(Number=call.arg.Number)
            if bill.PaidIn is not None:
                return call.respond(409, "this bill is paid")
            call.Bills.update(bill, Number=call.arg.Number, PaidIn=call.arg.Currency)

    **What it was called with.** `arg` is the argument of a command or query, with one attribute per field and
    nested records as tuples; `unlogged` the argument that is not written to the log. `event` is what a
    projector was called for. `workspace` is where it runs, `principal` who asks, `offset` the place of the
    event in the workspace's log. What a kind of call does not have is None. `time` is when the call is, in
    seconds since 1970 by the clock of the host, which stands still in a test: of a command or query when it
    began, of a projector when its event was registered, of a job when it was due.

    **Storages** are attributes, under the names that the declaration uses: `call.Bills`, `call.Http`. A
    storage of tables or views has an attribute for each of them: `call.View.Turnover`, `call.Record.Bill`.
    What belongs to another package stands below its name: `call.crm.Contacts`, `call.View.crm.Customer`.
    A name that Python or the call has taken gets an underscore at its end: `call.View.class_`. What can be
    done with each is told at `Storage`.

    Only what STATE and INTENTS name is there, and only what the storage's declaration permits to this kind of
    extension works: anything else raises an error that says what to declare. `statehold stubs` writes
    these classes out, so that an editor completes all of it and mypy checks it.

    **Changes** are asked for, not made: what `insert` and `update` ask for is applied when the function has
    returned, and nothing of it if it raises. So a `get` does not see what the same call has asked for; a
    projector sees what it asked for at earlier events.

    **Results.** What a command or query with RETURNS returns is its result: a dict, or a value that a
    storage gave it. A query may return a list, or yield: then the first are sent while the others are made.
    `call.Result.insert(...)` does the same from anywhere in the code.

    **Answers.** `call.respond(status, message)` says how the request is to be answered. With any status but
    200 nothing of what the call has asked for happens.

    **Errors.** Whatever the function raises is an error of the extension: the request is answered with 500,
    the log of the host says where it was raised, and what was asked for does not happen.

    **The log.** `call.log.info("paid %s", number)` writes to the log of the host, by `sys.Logger`, when the
    function has returned. `logging.getLogger(__name__)` needs no declaration and writes at once.
    """

    arg: Any

    def __init__(self, state: State) -> None:
        self._state = state
        self.arg = state.call.argument

    @property
    def unlogged(self) -> Any:
        """The argument that is not written to the log."""
        return self._state.call.unlogged

    @property
    def workspace(self) -> int:
        """The workspace of the call, and of all keys that name no other."""
        return self._state.call.workspace

    @property
    def principal(self) -> Principal | None:
        """Who asks; None for nobody, and for projectors and jobs."""
        return self._state.call.principal

    @property
    def event(self) -> Event | None:
        """What the projector was called for."""
        event: Event | None = self._state.call.event
        return event

    @property
    def offset(self) -> int | None:
        """The place in the workspace's log that the event has, or that of a command is going to have."""
        return self._state.call.offset

    @property
    def time(self) -> float:
        """When the call is, in seconds since 1970: a projector's is its event's, a job's when it was due."""
        return self._state.call.time
