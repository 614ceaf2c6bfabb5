from __future__ import annotations

from typing import Any

import pytest

from statehold.sdk import CallContext, Principal, Provider, Scope, Value
from statehold.testing import open_storage
from statehold_sys import command_context, job_context, query_context, request_subject


def got(provider: Provider, **call: Any) -> Value:
    """Return what the storage says of a call."""
    made = CallContext(**{"scope": Scope.COMMANDS, "workspace": 7, "extension": "bills.Pay", **call})
    with open_storage(provider, call=made) as opened:
        found = opened.facade.get(opened.key(7))
        assert found is not None
        return found


def test_a_command_sees_its_arguments_where_it_runs_and_where_its_event_will_stand() -> None:
    """The arguments are those of the call, not copies."""
    argument, unlogged = {"Number": 1}, {"Password": "x"}
    context = got(
        command_context.provider, argument=argument, unlogged=unlogged, offset=12, origin="10.1.2.3"
    )
    assert (context.Workspace, context.WLogOffset, context.Origin) == (7, 12, "10.1.2.3")
    assert context.ArgumentObject is argument
    assert context.ArgumentUnloggedObject is unlogged


def test_a_command_without_arguments_has_none() -> None:
    """Rather than an empty object."""
    context = got(command_context.provider)
    assert context.ArgumentObject is None
    assert context.ArgumentUnloggedObject is None
    assert (context.WLogOffset, context.Origin) == (None, "")


def test_a_query_sees_its_argument_and_where_it_runs() -> None:
    """And has no place in a log."""
    context = got(query_context.provider, scope=Scope.QUERIES, argument={"Year": 2026}, offset=12)
    assert (context.Workspace, context.ArgumentObject) == (7, {"Year": 2026})
    assert not hasattr(context, "WLogOffset")


def test_a_job_sees_when_it_was_due_in_whole_seconds() -> None:
    """Whatever the time of day it really runs at."""
    context = got(job_context.provider, scope=Scope.JOBS, time=1_700_000_000.9)
    assert (context.Workspace, context.UnixTime) == (7, 1_700_000_000)


def test_the_subject_of_a_request_is_who_the_token_says() -> None:
    """With the token, which is not shown."""
    principal = Principal(name="ann", kind=2, profile=65_600, token="secret-token")
    subject = got(request_subject.provider, principal=principal)
    assert (subject.ProfileWSID, subject.Kind, subject.Name, subject.Token) == (
        65_600,
        2,
        "ann",
        "secret-token",
    )
    assert "secret-token" not in repr(subject)


@pytest.mark.parametrize("principal", [None, Principal()])
def test_the_subject_of_a_request_without_a_token_is_nobody(principal: Principal | None) -> None:
    """Zeros and empty texts, not an error."""
    subject = got(request_subject.provider, principal=principal)
    assert (subject.ProfileWSID, subject.Kind, subject.Name, subject.Token) == (0, 0, "", "")


def test_two_calls_at_once_see_each_its_own() -> None:
    """One storage serves the whole partition: nothing of a call stays in it."""
    with open_storage(query_context.provider) as opened:
        calls = [CallContext(scope=Scope.QUERIES, workspace=number, extension="a.B") for number in (1, 2)]
        bound = [opened.storage.for_call(call) for call in calls]  # type: ignore[attr-defined]
        assert [one.get(opened.key(1)).Workspace for one in (*bound, bound[0])] == [1, 2, 1]
