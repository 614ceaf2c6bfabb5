from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from statehold.loading.wasm import load_wasm
from statehold.testing import StorageConformance

SAMPLE = Path(__file__).parents[4] / "app_images" / "acme.meter"
MODULE = Path("image") / "pkg" / "acme.example" / "meter" / "wasm" / "storages-1.0.wasm"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Return the module of the sample, compiled now."""
    if not shutil.which("clang") or not shutil.which("wasm-ld"):
        pytest.skip("compiling the sample takes clang and lld, which are not installed")
    folder = Path(shutil.copytree(SAMPLE, tmp_path_factory.mktemp("sample") / "acme.meter"))
    (folder / MODULE).unlink()
    subprocess.run(["make", "-s", "-C", folder], check=True, timeout=120)
    return folder / MODULE


class TestMeter(StorageConformance):
    """The sample in C, with the module that comes along."""

    config = {"LongestNote": 2_000_000}
    refused = [({"Meter": "a", "At": 1}, {"Note": "x" * 2_000_001})]
    hands_over = True
    ordered = True
    read_by = 1

    @pytest.fixture
    def provider(self):
        with load_wasm(SAMPLE / MODULE, owner="test.app 1") as plugin:
            yield plugin.providers["Meter"]


class TestMeterCompiledAnew(TestMeter):
    """The sample in C, compiled by its Makefile."""

    @pytest.fixture
    def provider(self, compiled):
        with load_wasm(compiled, owner="test.app 1") as plugin:
            yield plugin.providers["Meter"]
