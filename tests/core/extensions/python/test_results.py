"""What a function returns becomes INSERTs into Result."""

from __future__ import annotations

import pytest

from statehold.extensions import CodeError
from statehold.sdk import SchemaError, Scope

OTHERS = """
@extension
def count_turnover(call): return {count}
"""
QUERY = (
    "@extension\ndef pay_bill(call): ...\n"
    + OTHERS.format(count="None")
    + "@extension\ndef bill(call):\n  {body}\n"
)
COMMAND = (
    "@extension\ndef bill(call): ...\n"
    + OTHERS.format(count="None")
    + "@extension\ndef pay_bill(call):\n  {body}\n"
)


def results(start, code, body, name, kind=Scope.QUERIES):
    running = start(code.format(body=body))
    running.stage.put("bills.Bills", "bills.PayBill", Number=1, Waiter="ann", Total=500)
    intents = running.intents(name, kind=kind, arg={"Number": 1})
    assert all(slot == "sys.Result" for slot, _ in intents)
    return [value.rpartition("(")[2].removesuffix(")") for _, value in intents]


@pytest.mark.parametrize(
    "body",
    [
        "return {'Total': 500, 'Waiter': 'ann'}",
        "call.Result.insert(Total=500, Waiter='ann')",
        "return [{'Total': 500, 'Waiter': 'ann'}]",
        "yield {'Total': 500, 'Waiter': 'ann'}",
        "return ({'Total': n, 'Waiter': 'ann'} for n in [500])",
        "return map(dict, [{'Total': 500, 'Waiter': 'ann'}])",
    ],
)
def test_a_query_may_return_yield_or_insert(start, body):
    assert results(start, QUERY, body, "bills.Bill") == ["Total=500, Waiter='ann'"]


@pytest.mark.parametrize("body", ["return", "return []", "return iter(())", "yield from ()"])
def test_a_query_may_have_no_result(start, body):
    assert results(start, QUERY, body, "bills.Bill") == []


def test_a_query_may_have_many_results_in_their_order(start):
    assert results(start, QUERY, "for n in range(3): yield {'Total': n}", "bills.Bill") == [
        f"Total={n}, Waiter=None" for n in range(3)
    ]


def test_a_command_returns_one_result(start):
    assert results(start, COMMAND, "return {'Total': 1}", "bills.PayBill", Scope.COMMANDS) == [
        "Total=1, Waiter=None"
    ]


def test_a_value_with_the_fields_of_the_result_may_be_returned(start):
    body = "return call.Result.insert(Total=3).build().value"
    assert results(start, QUERY, body, "bills.Bill") == ["Total=3, Waiter=None"] * 2


def test_a_value_with_other_fields_is_refused(start):
    with pytest.raises(SchemaError, match=r"bills.BillResult: VALUE has no field 'PaidIn'"):
        results(start, QUERY, "return call.Bills.get(Number=1)", "bills.Bill")


def test_a_wrong_field_in_a_result_is_told(start):
    with pytest.raises(SchemaError, match=r"VALUE has no field 'Totl'. Did you mean 'Total'\?") as caught:
        results(start, QUERY, "yield {'Totl': 1}", "bills.Bill")
    assert caught.value.__notes__ == ["in what QUERY bills.Bill returned"]


def test_a_required_field_that_is_missing_in_a_result_is_told(start):
    with pytest.raises(SchemaError, match=r"field Total: expected money"):
        results(start, QUERY, "yield {'Waiter': 'ann'}", "bills.Bill")


@pytest.mark.parametrize(
    ("code", "body", "name", "problem"),
    [
        (
            QUERY,
            "return 5",
            "bills.Bill",
            "a dict or a value, or many of them with the fields of .*, got int 5",
        ),
        (QUERY, "return 'ab'", "bills.Bill", "got str 'ab'"),
        (QUERY, "yield 5", "bills.Bill", "got int 5"),
        (COMMAND, "return [{'Total': 1}]", "bills.PayBill", "expected a dict or a value with the fields of"),
    ],
)
def test_anything_else_is_refused(start, code, body, name, problem):
    with pytest.raises(CodeError, match=problem):
        results(start, code, body, name)


def test_what_has_no_returns_may_return_nothing(start):
    running = start(COMMAND.replace("return None", "return 1").format(body="..."))
    with pytest.raises(
        CodeError,
        match=r"PROJECTOR bills.CountTurnover returned .*: expected nothing, because it has no RETURNS",
    ):
        running.run("bills.CountTurnover", kind=Scope.PROJECTORS)
