from __future__ import annotations

from pathlib import Path

import pytest

from statehold.loading.wasm import load_wasm
from statehold.testing import StorageConformance

SAMPLE = Path(__file__).parents[4] / "app_images" / "acme.meter"
MODULE = SAMPLE / "image" / "pkg" / "acme.example" / "meter" / "wasm" / "storages-1.0.wasm"


class TestMeter(StorageConformance):
    """The sample in C."""

    config = {"LongestNote": 2_000_000}
    refused = [({"Meter": "a", "At": 1}, {"Note": "x" * 2_000_001})]
    hands_over = True
    ordered = True
    read_by = 1

    @pytest.fixture
    def provider(self):
        with load_wasm(MODULE, owner="test.app 1") as plugin:
            yield plugin.providers["Meter"]
