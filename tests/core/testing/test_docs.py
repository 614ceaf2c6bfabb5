from __future__ import annotations

import re
from pathlib import Path

from statehold.testing import StorageConformance
from statehold.testing._scenario import MARK, scenarios
from statehold.testing._subject import _EFFORTS

DOCS = Path(__file__).parents[3] / "docs" / "conformance.md"


def test_docs_and_kit_have_the_same_scenarios_with_the_same_words() -> None:
    documented = re.findall(r"^- \*\*([A-Z]\d+)\*\* \((\w+)\) (.+)$", DOCS.read_text(), re.MULTILINE)
    kit = {
        (mark.number, str(mark.level), (getattr(StorageConformance, name).__doc__ or "").splitlines()[0])
        for name, mark in scenarios(StorageConformance).items()
    }
    assert sorted(documented) == sorted(kit)


def test_every_test_of_the_kit_cites_its_number_and_no_number_comes_twice() -> None:
    marks = scenarios(StorageConformance)
    tests = [name for name in dir(StorageConformance) if name.startswith("test_")]
    assert sorted(marks) == tests
    assert all(name.startswith(f"test_{mark.number.lower()}_") for name, mark in marks.items())
    assert len({mark.number for mark in marks.values()}) == len(marks)


def test_every_attribute_an_author_may_set_is_documented() -> None:
    text = DOCS.read_text()
    public = {name for part in StorageConformance.__mro__ for name in vars(part).get("__annotations__", {})}
    assert {name for name in public if f"`{name}`" not in text} == set()


def test_the_effort_below_which_the_report_says_so_is_the_default() -> None:
    assert {name: getattr(StorageConformance, name) for name in _EFFORTS} == dict(_EFFORTS)


def test_a_scenario_keeps_its_mark() -> None:
    assert getattr(StorageConformance.test_a1_opens, MARK).number == "A1"
