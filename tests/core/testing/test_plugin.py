from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GOOD = """
from kit_memory import *
from statehold.testing import StorageConformance

class TestMemory(StorageConformance):
    examples, steps, calls, large = 3, 5, 10, 1000
    provider, rows = provider(), ROWS
"""


def report(pytester: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=body)
    return pytester.runpytest_inprocess("--statehold-report", "-p", "no:cacheprovider", *arguments)


def test_the_report_names_storage_operations_counts_and_level(pytester: pytest.Pytester) -> None:
    result = report(pytester, GOOD)
    result.stdout.re_match_lines(
        [
            r".*storage conformance.*",
            r"storage +from +operations +passed +failed +skipped +level",
            r"Memory \(TestMemory\) +not installed +GET GETBATCH INSERT READ UPDATE +\d\d +0 +0 +stable",
            r" +with: large=1000, calls=10, examples=3, steps=5",
        ]
    )


def test_the_report_arrives_from_the_workers_of_xdist(pytester: pytest.Pytester) -> None:
    here = str(Path(__file__).parent)
    body = f"import sys; sys.path.insert(0, {here!r})\n{GOOD}"
    report(pytester, body, "-n", "1").stdout.re_match_lines([r"Memory \(TestMemory\) .* 0 +0 +stable"])


def test_one_failure_stops_the_level_below_it_and_is_named(pytester: pytest.Pytester) -> None:
    body = GOOD.replace("provider()", "DEFECTS['Prints'].provider") + "\nfrom kit_broken import DEFECTS\n"
    body = "from kit_broken import DEFECTS\n" + body
    result = report(pytester, body, "-k", "not m1")
    result.stdout.re_match_lines([r"Memory .* 1 +0 +alpha", r" +failed: L6", r" +not run: M1"])


def test_what_was_left_out_or_skipped_stops_the_level(pytester: pytest.Pytester) -> None:
    body = GOOD + "    test_w1_takes_every_sample_row = None\n"
    body += (
        "    @pytest.mark.xfail(run=False)\n    @scenario('W2')\n    def test_w2_insert_is_found(self): ...\n"
    )
    body = "import pytest\nfrom statehold.testing._scenario import scenario\n" + body
    result = report(pytester, body)
    result.stdout.re_match_lines([r"Memory .* 0 +1 +alpha", r" +skipped: W2", r" +not run: W1"])


def test_a_provider_that_is_broken_has_no_level(pytester: pytest.Pytester) -> None:
    body = GOOD.replace("provider()", "'Memory'")
    result = report(pytester, body)
    result.stdout.re_match_lines([r"\? \(TestMemory\) .* none", r" +no test got as far as opening a storage"])
    result.stdout.fnmatch_lines(["*TestMemory.provider: expected a statehold.sdk.Provider, got 'Memory'*"])


def test_nothing_to_report_is_said(pytester: pytest.Pytester) -> None:
    report(pytester, "def test_it(): pass").stdout.fnmatch_lines(["no test of*StorageConformance was run"])


def test_what_does_not_apply_is_not_generated(pytester: pytest.Pytester) -> None:
    body = GOOD.replace("provider()", "provider(operations=['GET', 'INSERT'])")
    pytester.makepyfile(test_it=body)
    collected = pytester.runpytest_inprocess("--collect-only", "-q").stdout.str()
    assert "test_g1_" in collected
    assert "test_g3_" not in collected
    assert "test_r1_" not in collected
    assert "test_w4_" not in collected


def test_a_provider_from_a_fixture_is_known_only_at_run_time(pytester: pytest.Pytester) -> None:
    body = GOOD.replace("    provider, rows = provider(), ROWS\n", "    rows = ROWS\n") + (
        "    @pytest.fixture\n"
        "    def provider(self, tmp_path):\n"
        "        from kit_memory import provider\n"
        "        return provider()\n"
        "    def refused(self):\n"
        "        return [({'Device': 'refused'}, {'At': 1})]\n"
    )
    result = report(pytester, "import pytest\n" + body)
    result.stdout.re_match_lines([r"Memory \(TestMemory\) .* 0 +0 +stable"])


def test_an_author_may_add_tests_of_their_own(pytester: pytest.Pytester) -> None:
    body = GOOD + (
        "    def test_mine(self):\n"
        "        opened, workspace = self.open(), self.workspace()\n"
        "        key = opened.key(workspace, Device='d', Point='p', Number=1)\n"
        "        expected = self.put(opened, key, opened.value(At=7))\n"
        "        self.check(opened, key, expected, 'mine')\n"
    )
    pytester.makepyfile(test_it=body)
    pytester.runpytest_inprocess("-k", "mine").assert_outcomes(passed=1, deselected=53)


def test_the_plugin_takes_nothing_heavy_into_a_run() -> None:
    heavy = [
        "hypothesis",
        "statehold.hosting",
        "statehold.state",
        "statehold.sdk",
        "lark",
        "dataset",
        "httpx",
    ]
    code = f"import sys, statehold.testing.pytest_plugin; print([m for m in {heavy!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_missing_library_is_named_with_the_way_to_get_it() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; from statehold.testing import StorageConformance"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs hypothesis: pip install 'statehold[testing]'" in ran.stderr


def test_a_failing_assertion_of_the_kit_shows_its_values(pytester: pytest.Pytester) -> None:
    body = "from kit_broken import DEFECTS\n" + GOOD.replace("provider()", "DEFECTS['Prints'].provider")
    pytester.makepyfile(test_it=body)
    result = pytester.runpytest_subprocess("-k", "l6")
    result.stdout.fnmatch_lines(["*printed to stdout: 'get*", "*assert 'get*"])
