from __future__ import annotations

import pytest

from statehold.testing import StorageConformance
from statehold.testing._scenario import scenarios

VIEW = """
from kit_calls import *
from statehold.testing import StorageConformance

class TestIt(StorageConformance):
    provider = view({rows})
    declarations = TURNOVER
    entity = "test.Turnover"
    read_by = 1
    examples, steps, calls, large, patience = 5, 10, 5, 1000, 5
"""

WHERE = """
from kit_calls import *
from statehold.testing import StorageConformance

class TestIt(StorageConformance):
    provider = where()
    shared, any_row = True, False
    rows = [({}, {"Workspace": 1_000_001})]
"""


def told(pytester: pytest.Pytester, body: str, chosen: str) -> dict[str, str]:
    """Return what the failed scenarios of *body* say, by number."""
    pytester.makepyfile(body)
    ran = pytester.inline_run("-p", "no:cacheprovider", "-k", chosen)
    tests = scenarios(StorageConformance)
    reports = ran.getreports("pytest_runtest_logreport")
    assert any(report.when == "call" for report in reports)
    return {
        tests[report.location[2].rpartition(".")[2]].number: str(report.longrepr)
        for report in reports
        if report.failed
    }


def test_a_storage_that_is_of_one_call_passes(pytester: pytest.Pytester) -> None:
    assert told(pytester, VIEW.format(rows="Rows"), "test_b or test_s or test_g") == {}


@pytest.mark.parametrize(
    ("rows", "number", "said"),
    [
        ("ReadsWhatIsCommitted", "B3", "in the call that wrote it"),
        ("WritesPastTheUnit", "B2", "expected None before the commit"),
        ("KeepsTheLastCall", "B2", "after the commit"),
    ],
)
def test_a_storage_that_mixes_calls_or_goes_past_the_unit_is_told(
    pytester: pytest.Pytester, rows: str, number: str, said: str
) -> None:
    found = told(pytester, VIEW.format(rows=rows), "test_b")
    assert set(found) == {number}
    assert said in found[number]


def test_a_storage_that_asks_the_call_for_the_workspace_of_a_key_is_told(pytester: pytest.Pytester) -> None:
    assert "G1" in told(pytester, VIEW.format(rows="AsksTheCallForTheWorkspace"), "test_g1_ or test_s")


def test_a_storage_that_shows_another_call_than_that_it_is_used_in_is_told(
    pytester: pytest.Pytester,
) -> None:
    found = told(pytester, WHERE, "test_b")
    assert set(found) == {"B1"}
    assert "as before another call" in found["B1"]
