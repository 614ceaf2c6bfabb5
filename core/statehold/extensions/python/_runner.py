from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from statehold.extensions._engine import EngineContext, Use
from statehold.extensions._errors import CodeError
from statehold.extensions._failure import File, failure, place_of, told
from statehold.extensions.python._compile import compile_call
from statehold.sdk import StateholdError, Value, fields
from statehold.state import State
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ANY, ExtensionDef


def compile_runner(
    context: EngineContext, file: File, extension: ExtensionDef, function: Callable[[Any], Any]
) -> Callable[[State], None]:
    """Return what runs the function of an extension in a state.

    *file* turns the file names of tracebacks into paths in the image.
    """
    name = str(extension.name)
    who = f"{extension.kind} {name}"
    uses = context.uses.get(name, ())
    make_call = compile_call(context.appdef, extension, uses)
    give = _giver(extension, next((use for use in uses if use.storage == "sys.Result"), None))
    redact = context.redact

    def run(state: State) -> None:
        try:
            returned = function(make_call(state))
            if returned is not None:
                give(state, returned)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except StateholdError as error:
            place = place_of(error, file)
            told(error, f"{who} at {place}" if place else f"in what {who} returned", redact=redact)
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit, too: it is the function's, and the host goes on
            failed = failure(who, error, extension=name, redact=redact, file=file)
            raise failed from failed.__cause__

    return run


def _giver(extension: ExtensionDef, result: Use | None) -> Callable[[State, Any], None]:
    """Return what makes INSERTs into Result of what a function has returned."""
    who = f"{extension.kind} {extension.name}"
    many = extension.kind is ExtensionKind.QUERY

    def refuse(returned: object) -> CodeError:
        if result is None:
            expected, hint = "nothing, because it has no RETURNS", "Declare RETURNS, or return nothing"
        else:
            each = "a dict or a value, or many of them" if many else "a dict or a value"
            expected, hint = f"{each} with the fields of {extension.returns}", ""
        got = f"{type(returned).__name__} {returned!r:.60}"
        return CodeError(
            f"{who} returned what it may not: expected {expected}, got {got}",
            extension=str(extension.name),
            hint=hint,
        )

    if result is None:

        def refuse_all(_: State, returned: Any) -> None:
            raise refuse(returned)

        return refuse_all
    key = result.rows.key
    is_any = extension.returns == ANY

    def give_one(state: State, returned: Any) -> None:
        if is_any:
            returned = {"Value": returned}
        elif type(returned) is not dict:
            if isinstance(returned, Value):
                returned = fields(returned)
            elif not isinstance(returned, Mapping):
                raise refuse(returned)
        state.give(key(state.call.workspace), returned)

    def give_many(state: State, returned: Any) -> None:
        if not isinstance(returned, dict) and isinstance(returned, list | tuple | Iterator):
            for each in returned:
                give_one(state, each)
        else:
            give_one(state, returned)

    return give_many if many else give_one
