from __future__ import annotations

import pytest

from statehold.events import BrokenReferenceError, ConflictError, RecordMissingError, WorkspaceError
from statehold.extensions import NoEngineError
from statehold.hosting import NotProvidedError
from statehold.loading.sidecar import Reason, SidecarError
from statehold.processing import ForbiddenError, LimitExceededError, failure
from statehold.processing._failure import explained, is_failure
from statehold.rows import StoreFullError
from statehold.sdk import FreedError, HostError, Scope, StateholdError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConflictError("x", table="t", record=1), 409),
        (RecordMissingError("x", table="t"), 404),
        (BrokenReferenceError("x", table="t"), 400),
        (WorkspaceError("x", workspace=1), 404),
        (NoEngineError("x", partition=0, kind=Scope.COMMANDS), 503),
        (NotProvidedError("x", extension="sys.Y"), 501),
        (StoreFullError("x"), 507),
        (HostError("x"), 503),
        (FreedError("x"), 503),
        (StateholdError("x"), 500),
        (ForbiddenError("x"), 403),
        (LimitExceededError("x", limit="l", retry_after=3.0), 429),
        (ValueError("x"), 500),
    ],
)
def test_every_error_has_a_status(error, status):
    assert failure(error).status == status


def test_what_nobody_intended_is_not_told():
    found = failure(ValueError("the password is 123"))
    assert "123" not in found.message
    assert found.to_json() == {"message": found.message, "status": 500}


def test_an_error_is_told_with_what_programs_need():
    told = failure(ForbiddenError("no", qname="shop.Sell", roles=["shop.Clerk"], fields=["Note"]))
    assert told.to_json() == {
        "message": "no",
        "status": 403,
        "qname": "shop.Sell",
        "data": {"roles": ["shop.Clerk"], "fields": ["Note"]},
    }


@pytest.mark.parametrize(
    ("reason", "status", "retry_after"),
    [
        (Reason.CRASHED, 503, 1.0),
        (Reason.DEADLINE, 504, None),
        (Reason.BROKEN, 503, 5.0),
        (Reason.BUSY, 503, 1.0),
        (Reason.START, 503, 1.0),
    ],
)
@pytest.mark.parametrize("unknown", [False, True])
def test_an_outage_of_a_storage_is_told_without_what_its_plugin_has_printed(
    reason, status, retry_after, unknown
):
    error = SidecarError("it ended; last lines: hunter2", reason=reason, unknown=unknown)
    for found in (failure(error), failure(explained(error, "bills.Show"))):
        assert (found.status, found.retry_after) == (status, retry_after)
        assert "hunter2" not in found.message
        assert found.data == ({"unknown": True} if unknown else {})
    assert found.message.startswith("bills.Show failed: a storage ")
    assert "hunter2" in str(explained(error, "bills.Show"))
    assert is_failure(error)
