from __future__ import annotations

from statehold.events import Event, Unit
from statehold.processing._errors import ExtensionError, RequestError, StorageOutageError
from statehold.processing._failure import explained
from statehold.processing._work import Bench, Done
from statehold.sdk import CallContext, Scope
from statehold.state import State


def finish(bench: Bench, unit: Unit, done: Done, *, kind: str) -> Done:
    """Run the SYNC projectors of the event of *done*, and put what is beyond the row store in the outbox.

    Raises:
        ProcessingError: a projector failed, or the event has too many records.

    """
    event = done.event
    if event is not None:
        if len(event.cuds) > bench.settings.cuds:
            raise RequestError(
                f"{event.name} makes or changes {len(event.cuds)} records, more than {bench.settings.cuds}",
                qname=event.name,
                hint="Change fewer records with each command",
            )
        triggers = bench.parts.triggers
        for projector in triggers.sync(event, kind) if triggers.has_sync else ():
            done.states += _project(bench, unit, event, str(projector.name))
    if done.states:
        done.outbox = bench.outbox.put(unit, done.states)
    return done


def _project(bench: Bench, unit: Unit, event: Event, projector: str) -> list[State]:
    runner = bench.partition.extension(projector)
    if not runner.is_provided:
        # Declared by an image's own `sys` only: the deployment said that it is not run.
        return []
    call = CallContext(
        scope=Scope.PROJECTORS,
        workspace=event.workspace,
        extension=projector,
        unit=unit,
        event=event,
        offset=event.wlog_offset,
        time=event.registered_at / 1000,
    )
    try:
        state: State = runner.state(call)
        runner.invoke(state, call)
        state.prepare()
    except Exception as error:
        cause = explained(error, projector)
        if isinstance(cause, StorageOutageError):
            raise cause from error
        found = ExtensionError(
            f"SYNC PROJECTOR {projector} refused the event of {event.name}: {cause}", qname=projector
        )
        found.status = cause.status
        raise found from error
    return [state] if state.intents_count else []
