"""Where the storages that come with Statehold can run, and that the kit runs them there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from statehold.loading import installed, runs_in, why_inprocess
from statehold.testing import StorageConformance

DOCS = Path(__file__).parents[3] / "docs"
TESTS = Path(__file__).parents[2]

#: Those that stay in the host; `docs/plugin-isolation.md` has the same list.
ALONE = {
    "FederationBlob",
    "FederationCommand",
    "Record",
    "RequestSubject",
    "Response",
    "Result",
    "Uniq",
    "View",
    "WLog",
}
APART = {
    "AppSecret",
    "CommandContext",
    "Ephemeral",
    "Event",
    "Http",
    "JobContext",
    "Logger",
    "QueryContext",
    "SendMail",
    "Table",
}


def ours():
    listed = [one for one in installed().listing() if one.provider is not None]
    return {
        one.entry.name: one.provider
        for one in listed
        if one.entry.value.startswith(("statehold_sys.", "statehold_dataset"))
    }


def test_every_storage_is_in_one_of_the_lists():
    found = ours()
    assert {name for name, provider in found.items() if why_inprocess(provider)} == ALONE
    assert {name for name, provider in found.items() if not why_inprocess(provider)} == APART
    assert {runs_in(provider) for provider in found.values()} == {"inprocess"}


@pytest.mark.parametrize("name", sorted(APART))
def test_the_kit_runs_it_in_a_sidecar(name):
    """The class with its tests says so."""
    text = "".join(path.read_text("utf-8") for path in TESTS.glob("plugins/statehold_*/test_*.py"))
    found = re.search(
        rf"class Test{name}\(\w+\):(?:(?!\nclass ).)*?isolations = \(\"inprocess\", \"sidecar\"\)",
        text,
        re.DOTALL,
    )
    assert found, f"no class Test{name} with isolations"


def test_the_page_about_isolation_has_the_same_list():
    page = (DOCS / "plugin-isolation.md").read_text("utf-8")
    for name in ALONE:
        assert f"`{name}`" in page
        assert why_inprocess(ours()[name]) in page


def test_a_provider_that_no_module_has_is_skipped_with_the_reason(pytester):
    pytester.makepyfile(
        test_it="""
        import attrs
        import pytest
        from statehold.testing import StorageConformance
        from statehold_sys import app_secret

        class TestSecrets(StorageConformance):
            rows = [({"Secret": "Token"}, {"Content": "hunter2"})]
            secrets = {"Token": "hunter2"}
            any_row = False

            @pytest.fixture
            def provider(self):
                return attrs.evolve(app_secret.provider, description="another")
        """
    )
    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-rs", "--statehold-isolation=sidecar", "-k", "a1"
    )
    result.stdout.re_match_lines([r".*AppSecret is made while the tests run: no module has it under a name"])


def test_a_class_may_say_where_it_is_tested():
    assert StorageConformance.isolations == ()
