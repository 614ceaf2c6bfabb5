from __future__ import annotations

import pytest

from statehold.rows import MemoryDriver
from statehold.testing.rows import RowStoreConformance


class TestMemory(RowStoreConformance):
    durable = False

    @pytest.fixture
    def factory(self):
        return MemoryDriver
