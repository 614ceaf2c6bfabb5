from __future__ import annotations

import gc
import warnings

import pytest
from kit_broken import DEFECTS
from kit_memory import KEY, ROWS

from statehold.testing import StorageConformance
from statehold.testing._scenario import scenarios

REFUSED = [({"Device": "refused", "Point": "p", "Number": 1}, {"At": 1})]

# These tell of many defects, and take long to make what they found small.
TRIES_EVERYTHING = {"M1", "T8"}


def run(pytester: pytest.Pytester, body: str, *arguments: str) -> dict[str, set[str]]:
    """Run a subclass of the kit with *body*; return the numbers of the scenarios by outcome."""
    pytester.makepyfile(
        "from kit_memory import *\n"
        "from kit_broken import DEFECTS\n"
        "from statehold.testing import StorageConformance\n"
        "class TestIt(StorageConformance):\n"
        "    examples, steps, calls, large = 10, 15, 20, 1000\n"
        + "".join(f"    {line}\n" for line in body.splitlines())
    )
    # What a storage leaves to the garbage collector is for one scenario to tell, not for pytest.
    quiet = "-Wignore::ResourceWarning"
    ran = pytester.inline_run("-p", "no:cacheprovider", "--tb=no", quiet, *arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    tests = scenarios(StorageConformance)
    found: dict[str, set[str]] = {"passed": set(), "failed": set(), "skipped": set()}
    for report in ran.getreports("pytest_runtest_logreport"):
        if report.when == "call" or report.outcome != "passed":
            found[report.outcome].add(tests[report.location[2].rpartition(".")[2]].number)
    return found


def test_a_storage_that_keeps_every_promise_passes_everything(pytester: pytest.Pytester) -> None:
    found = run(pytester, f"provider, rows, refused = provider(), ROWS, {REFUSED}")
    assert found["failed"] == set()
    assert found["skipped"] == set()
    assert found["passed"] == {one.number for one in scenarios(StorageConformance).values()} - {
        *("A5", "R2", "R7", "L8", "L9", "L12", "L13", "L14", "B2", "B3")
    }


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_told_by_its_scenarios_and_no_others(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # How small hypothesis makes a history that fails decides nothing here.
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKS", 5)
    defect = DEFECTS[name]
    said = {"provider": ..., **defect.said}
    if defect.provider.key == KEY:
        said = {"rows": ROWS, "refused": REFUSED, **said}
    lines = [f"{key} = {value!r}" for key, value in said.items() if value is not ...]
    chosen = defect.chosen
    if defect.cascades:
        chosen = " or ".join(f"test_{number.lower()}_" for number in defect.told_by)
    elif not chosen and not defect.told_by & TRIES_EVERYTHING:
        chosen = " and ".join(f"not test_{number.lower()}_" for number in TRIES_EVERYTHING)
    found = run(pytester, "\n".join([f"provider = DEFECTS[{name!r}].provider", *lines]), "-k", chosen)
    assert found["failed"] == defect.told_by
