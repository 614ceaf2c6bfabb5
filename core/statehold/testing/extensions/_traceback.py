from __future__ import annotations

from types import TracebackType

from statehold.sdk import StateholdError


def only_of_others(error: StateholdError) -> StateholdError:
    """Leave in the traceback of an error, and of its cause, what is not code of Statehold.

    What a developer looks for in a test that fails is a line of the test or of the application.
    """
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = _of_others(each.__traceback__)
        each = each.__cause__
    return error


def _of_others(trace: TracebackType | None) -> TracebackType | None:
    frames = []
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "statehold":
            frames.append(trace)
        trace = trace.tb_next
    found = None
    for each in reversed(frames):
        found = TracebackType(found, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return found
