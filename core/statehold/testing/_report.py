from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from statehold.testing._level import Level
from statehold.testing._scenario import MARK
from statehold.testing._subject import SUBJECT

SCENARIO: Final = "statehold-scenario"
_PLACE: Final = "statehold-place"
_HEADINGS: Final = ("storage", "from", "operations", "passed", "failed", "skipped", "level")


@attrs.define(eq=False)
class Findings:
    """What the tests of one class have shown about one storage.

    `outcomes` has the worst outcome of every scenario by number; `subject` is empty until a test has
    got as far as to know its provider.
    """

    case: str
    outcomes: dict[str, str] = attrs.field(factory=dict)
    subject: Mapping[str, Any] = attrs.field(factory=dict)

    def add(self, number: str, report: pytest.TestReport) -> None:
        """Take in one phase of one test."""
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "skipped"
        if report.when == "call" or outcome != "passed":
            worst = ("passed", "skipped", "failed").index
            self.outcomes[number] = max(outcome, self.outcomes.get(number, outcome), key=worst)

    @property
    def asked(self) -> dict[str, int]:
        """The scenarios that the storage has to pass, each with its level."""
        return dict(self.subject.get("asked", ()))

    def numbers(self, outcome: str | None) -> list[str]:
        """Return the scenarios with an outcome, or with None those that were asked and did not run."""
        found = [number for number in self.asked if self.outcomes.get(number) == outcome]
        return sorted(found, key=lambda number: (number[0], int(number[1:])))

    @property
    def level(self) -> Level:
        """The highest level of which, and of those below, every scenario that is asked has passed."""
        passed = {number for number, outcome in self.outcomes.items() if outcome == "passed"}
        reached = Level.NONE
        for level in (Level.ALPHA, Level.BETA, Level.STABLE):
            asked = {number for number, of in self.asked.items() if of <= level}
            if not asked or not asked <= passed:
                break
            reached = level
        return reached


class ConformanceReport:
    """Gathers what the kit's tests found, here or on the workers of pytest-xdist, and tells it."""

    def __init__(self, *, shown: bool, file: Path | None) -> None:
        self._shown = shown
        self._file = file
        self._findings: dict[str, Findings] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test."""
        properties = dict(report.user_properties)
        number = properties.get(SCENARIO)
        if not isinstance(number, str):
            return
        case = report.nodeid.rpartition("::")[0] + str(properties.get(_PLACE, ""))
        findings = self._findings.setdefault(case, Findings(case))
        subject = properties.get(SUBJECT)
        if isinstance(subject, dict):
            findings.subject = subject
        findings.add(number, report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print one line per storage, and below it what keeps it from a higher level; write the file."""
        if self._file is not None:
            told = [_told(one) for one in self._findings.values()]
            self._file.write_text(json.dumps(told), encoding="utf-8")
        if not self._shown:
            return
        terminalreporter.section("storage conformance")
        if not self._findings:
            terminalreporter.write_line("no test of statehold.testing.StorageConformance was run")
            return
        findings = list(self._findings.values())
        table = [_HEADINGS, *(_row(one) for one in findings)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for line, one in zip(table, [None, *findings], strict=True):
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
            for note in () if one is None else _notes(one):
                terminalreporter.write_line(f"    {note}")


def mark(item: pytest.Item) -> None:
    """Write on a test of the kit which scenario it is, so that its reports tell it wherever they go."""
    scenario = getattr(getattr(item, "function", None), MARK, None)
    if scenario is not None:
        item.user_properties.append((SCENARIO, scenario.number))
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "statehold_isolation" in parameters:
            item.user_properties.append((_PLACE, f" {parameters['statehold_isolation']}"))


def _row(findings: Findings) -> tuple[str, ...]:
    subject = findings.subject
    counts = Counter(findings.outcomes[number] for number in findings.asked if number in findings.outcomes)
    return (
        f"{subject.get('provider', '?')} ({findings.case.rpartition('::')[2]})",
        _distribution(subject.get("provider", ""), subject.get("module", "")),
        " ".join(subject.get("operations", ())),
        *(str(counts[outcome]) for outcome in ("passed", "failed", "skipped")),
        "-" if subject.get("unsuited") else str(findings.level),
    )


def _told(findings: Findings) -> Mapping[str, Any]:
    subject = findings.subject
    return {
        "case": findings.case,
        "test": findings.case.rpartition("::")[2],
        "storage": subject.get("provider", "?"),
        "operations": list(subject.get("operations", ())),
        "isolation": subject.get("isolation", ""),
        "unsuited": subject.get("unsuited", ""),
        "level": str(findings.level),
        **{name: findings.numbers(name) for name in ("passed", "failed", "skipped")},
    }


def _notes(findings: Findings) -> Iterable[str]:
    if findings.subject.get("unsuited"):
        yield findings.subject["unsuited"]
        return
    for word, outcome in (("failed", "failed"), ("skipped", "skipped"), ("not run", None)):
        numbers = findings.numbers(outcome)
        if numbers:
            yield f"{word}: {', '.join(numbers)}"
    if findings.subject.get("with"):
        yield f"with: {', '.join(findings.subject['with'])}"
    if not findings.subject:
        yield "no test got as far as opening a storage"


def _distribution(provider: str, module: str) -> str:
    root = module.partition(".")[0]
    for entry in entry_points(group="statehold.storages", name=provider):
        if entry.module.partition(".")[0] == root and entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return "not installed"
