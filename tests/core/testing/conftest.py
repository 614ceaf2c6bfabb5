from __future__ import annotations

import sys
from pathlib import Path

# Before any run inside a test: it replaces the finders of distributions, which such a run takes back.
import importlib_metadata  # noqa: F401
import pytest

# The storages the kit is tried on are imported by name, here and in the runs inside the tests.
HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)


@pytest.fixture(autouse=True)
def _found_by_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", HERE)


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Leave out plugins that are of no use in runs inside a test: each would import them anew."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:anyio -p no:faulthandler -p no:schemathesis")
    return pytester
