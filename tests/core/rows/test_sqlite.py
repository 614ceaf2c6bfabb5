from __future__ import annotations

import functools

import pytest

from statehold.rows import SqliteDriver
from statehold.testing.rows import RowStoreConformance
from statehold.testing.rows._killing import Killing


class TestSqlite(RowStoreConformance):
    @pytest.fixture
    def factory(self, tmp_path):
        return functools.partial(SqliteDriver, tmp_path)


@pytest.mark.soak
class TestSqliteKilledOften(Killing):
    kills = 100

    @pytest.fixture
    def factory(self, tmp_path):
        return functools.partial(SqliteDriver, tmp_path)
