from __future__ import annotations

from typing import Any

import pytest

from statehold.sdk import CallContext, Scope, StorageError
from statehold.testing import OpenStorage, open_storage
from statehold_sys import response, result


def call(**given: Any) -> CallContext:
    return CallContext(scope=Scope.COMMANDS, workspace=1, extension="bills.Pay", **given)


def inserted(opened: OpenStorage, *values: dict[str, Any]) -> None:
    opened.apply([opened.facade.insert(opened.key(1), value) for value in values])


def test_results_reach_the_call_in_order_and_typed(bills: str) -> None:
    """As values of the type in RETURNS."""
    taken: list[Any] = []
    with open_storage(
        result.provider, declarations=bills, entity="test.PaidBill", call=call(result=taken.append)
    ) as opened:
        inserted(opened, {"Number": 1, "Total": 10_000}, {"Number": 2})
        assert [type(value) for value in taken] == [opened.rows.Value] * 2
    assert [(value.Number, value.Total, value.Text) for value in taken] == [
        (1, 10_000, None),
        (2, None, None),
    ]


def test_the_result_of_a_table_has_its_fields_and_no_key(bills: str) -> None:
    """RETURNS may name a table, whose records have an id: an answer has none."""
    with open_storage(result.provider, declarations=bills, entity="test.Customer") as opened:
        assert opened.rows.key_fields == ()
        opened.insert(opened.key(1), {"Name": "Ann", "sys.ID": 5})


def test_a_response_is_status_and_message() -> None:
    """Without a StatusCode it is 200, without a message an empty one."""
    taken: list[Any] = []
    with open_storage(response.provider, call=call(response=lambda *told: taken.append(told))) as opened:
        inserted(opened, {"StatusCode": 409, "ErrorMessage": "paid already"})
        inserted(opened, {})
        inserted(opened, {"StatusCode": 400}, {"StatusCode": 404, "ErrorMessage": "the last one counts"})
    assert taken == [(409, "paid already"), (200, ""), (404, "the last one counts")]


@pytest.mark.parametrize("status", [-1, 0, 42, 100, 199, 600, 2**31 - 1])
def test_a_status_that_ends_no_request_is_refused(status: int) -> None:
    """Before anything is told."""
    taken: list[Any] = []
    with open_storage(response.provider, call=call(response=lambda *told: taken.append(told))) as opened:
        intents = [opened.facade.insert(opened.key(1), {"StatusCode": one}) for one in (400, status)]
        for use in (opened.writer.validate, opened.writer.apply_batch):
            with pytest.raises(StorageError, match=f"from 200 to 599, got {status}"):
                use(intents)
    assert taken == []


@pytest.mark.parametrize("provider", [result.provider, response.provider], ids=lambda one: one.name)
def test_an_answer_that_nobody_takes_is_an_error(provider: Any) -> None:
    """In a call that is not a request, or by a processor that forgot it."""
    with open_storage(provider, call=call()) as opened, pytest.raises(StorageError, match=r"bills\.Pay"):
        opened.insert(opened.key(1), {})
