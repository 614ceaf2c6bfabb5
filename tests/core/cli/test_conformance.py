from __future__ import annotations

import pytest

TESTS = """
from statehold.testing import StorageConformance
from statehold_sys import app_secret, request_subject

class TestSecrets(StorageConformance):
    provider = app_secret.provider
    secrets = {"Token": "hunter2"}
    rows = [({"Secret": "Token"}, {"Content": "hunter2"})]
    missing = {"Secret": "Another"}
    any_row, shared = False, True
    calls, callers = 5, 2

class TestSubject(StorageConformance):
    provider = request_subject.provider
    rows = [({}, {"Name": ""})]
    any_row = False
"""


@pytest.fixture
def tests(tmp_path):
    path = tmp_path / "test_storages.py"
    path.write_text(TESTS)
    return path


def test_every_storage_has_its_level_in_each_isolation_and_why_not_in_others(statehold, tests):
    told = statehold("conformance", tests, "-k", "a1 or a2 or TestSubject and a3")
    assert "storage         test         inprocess  sidecar  wasm" in told
    assert "AppSecret       TestSecrets  alpha" in told or "AppSecret       TestSecrets  none" in told
    assert "RequestSubject runs in the host alone: it gives the token of the request" in told
    assert "AppSecret is Python: it does not run as wasm" in told


def test_one_isolation_may_be_asked_for(machine, tests):
    found = machine("conformance", tests, "--isolation", "sidecar", "-k", "g1 or g2")
    one, other = sorted(found["storages"], key=lambda each: each["storage"])
    assert (one["storage"], one["isolation"], one["passed"]) == ("AppSecret", "sidecar", ["G1", "G2"])
    assert other["unsuited"].startswith("RequestSubject runs in the host alone")


def test_a_promise_that_is_not_kept_is_told_with_what_pytest_said(statehold, tests):
    tests.write_text(TESTS.replace('{"Content": "hunter2"}', '{"Content": "hunter3"}'))
    told = statehold("conformance", tests, "--isolation", "inprocess", "-k", "TestSecrets and g1", code=1)
    assert "G1 failed" in told
    assert "hunter3" in told


def test_tests_of_no_storage_are_an_error(statehold, tmp_path):
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    told = statehold("conformance", tmp_path, "--isolation", "inprocess", code=1)
    assert "no test of statehold.testing.StorageConformance was run" in told
