from __future__ import annotations

import json
from pathlib import Path

import pytest

from statehold.cli import run
from statehold_aos.database import CURRENT, Database, Service


@pytest.fixture
def migrate(capsys: pytest.CaptureFixture[str]):
    def call(*options: object, code: int = 0) -> str:
        assert run(["aos", "migrate", *map(str, options)]) == code
        return "".join(capsys.readouterr())

    return call


def test_each_step_is_told_with_its_copy(tmp_path: Path, migrate) -> None:
    file = tmp_path / "aos.db"
    with Database.open(file) as database:
        database.of(1).services.add(Service(id="nav"))
    found = json.loads(migrate(file, "--to", 1, "--json"))
    steps = [(step["before"], step["after"]) for step in found["steps"]]
    assert steps == [(version, version - 1) for version in range(CURRENT, 1, -1)]
    assert found["schema"] == 1
    assert all(Path(step["backup"]).exists() for step in found["steps"])
    assert "schema 1 became 2; before, it was copied to" in migrate(file, "--workspace", 7)
    with Database.open(file) as database:
        assert [one.id for one in database.of(7).services.all()] == ["nav"]
    assert migrate(file).strip() == f"✓ the database has schema {CURRENT}"


def test_what_cannot_be_done_is_an_error_with_a_hint(tmp_path: Path, migrate) -> None:
    assert f"expected a schema from 1 to {CURRENT}, got 9" in migrate(tmp_path / "aos.db", "--to", 9, code=1)
    (tmp_path / "other.db").write_text("a letter" * 1000)
    assert "file is not a database" in migrate(tmp_path / "other.db", code=1)
