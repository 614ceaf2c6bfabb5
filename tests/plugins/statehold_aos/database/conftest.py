from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from statehold_aos.database import Database, Tables

_NUMBERS = itertools.count()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database of SQLite may be made."""
    return tmp_path / "aos.db"


@pytest.fixture
def url(postgres) -> str:
    """Return the URL of an empty schema of PostgreSQL."""
    name = f"aos_{next(_NUMBERS)}"
    postgres.schema(name)
    return f"postgresql://statehold@/postgres?host={postgres._folder}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest) -> str:
    """Return where a database may be made, of either kind."""
    return str(request.getfixturevalue("file" if request.param == "sqlite" else "url"))


@pytest.fixture
def database(location: str) -> Iterator[Database]:
    with Database.open(location) as database:
        yield database


@pytest.fixture
def aos(database: Database) -> Tables:
    return database.of(1)
