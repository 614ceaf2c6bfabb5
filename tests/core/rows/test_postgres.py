from __future__ import annotations

import functools
import itertools

import pytest

from statehold.rows import PostgresDriver
from statehold.testing.rows import RowStoreConformance

_numbers = itertools.count()


class TestPostgres(RowStoreConformance):
    @pytest.fixture
    def factory(self, postgres):
        return functools.partial(PostgresDriver, postgres.schema(f"test_{next(_numbers)}"))
