"""What goes wrong in the Service Manager's database, or with `dataset`, does not happen here."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import dataset
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from old_databases import RELEASE_2_2, rows, write

from statehold.testing._patience import together
from statehold_aos.database import (
    AosSchemaError,
    Database,
    Layer,
    NotExistError,
    Service,
    Settings,
    Tables,
    migrate,
)

HOSTILE = [
    '" OR ""="',
    "' OR '1'='1",
    "'; DROP TABLE layers; --",
    '"; DELETE FROM layers; --',
    "%",
    "\0",
    "\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_becomes_a_part_of_the_sql(aos: Tables, text: str) -> None:
    """The Service Manager put digests and chains into its SQL as they came."""
    aos.layers.add(Layer(digest="sha256:1"))
    aos.traffic.set("in", 1, 1)
    for ask in (aos.layers.get, aos.layers.path, aos.services.get, aos.services.by_unit, aos.traffic.get):
        with pytest.raises(NotExistError):
            ask(text)
    for remove in (aos.layers.remove, aos.services.remove, aos.traffic.remove):
        remove(text)
    aos.layers.add(Layer(digest=text, path=text))
    aos.traffic.set(text, 2, 2)
    assert aos.layers.get(text) == Layer(digest=text, path=text)
    assert {one.chain for one in aos.traffic.all()} == {"in", text}
    assert len(aos.layers.all()) == 2


def test_every_migration_back_can_be_run_and_gives_back_what_was_there(file: Path) -> None:
    """Of the Service Manager's, one cannot run and one brings back less than there was."""
    write(file, RELEASE_2_2)
    before = {table: rows(file, table) for table in ("config", "services", "users", "layers")}
    migrate(file)
    migrate(file, to=1)
    for table, old in before.items():
        for one, other in zip(old, rows(file, table), strict=True):
            assert {**one, "startat": 0, "timestamp": 0} == {**other, "startat": 0, "timestamp": 0}


def test_a_migration_that_fails_has_not_happened(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Service Manager leaves a dirty database that it then refuses."""
    from statehold_aos.database.migrations import _m2_workspaces

    write(file, RELEASE_2_2)
    before = rows(file, "services")
    monkeypatch.setattr(_m2_workspaces, "_with_service", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        migrate(file)
    assert rows(file, "services") == before
    monkeypatch.undo()
    with Database.open(file) as database:
        assert len(database.of(1).services.all()) == 1


def test_an_older_version_never_takes_a_newer_database_back(file: Path) -> None:
    """A Service Manager goes back by files that a newer one has left there."""
    migrate(file)
    write(file, "UPDATE aos_schema SET version = 99")
    with pytest.raises(AosSchemaError, match="has schema 99"):
        migrate(file)
    assert rows(file, "aos_schema")[0]["version"] == 99


def test_one_damaged_row_wipes_nothing(file: Path) -> None:
    """A Service Manager that misses one folder deletes all services and storages."""
    write(file, RELEASE_2_2, "INSERT INTO users VALUES ('[\"eve\"]', 'gone', '/nowhere', NULL, NULL)")
    with Database.open(file) as database:
        aos = database.of(1)
        aos.config.set_operation_version(99)
    with Database.open(file) as database:
        aos = database.of(1)
        assert aos.config.operation_version() == 99
        assert (len(aos.services.all()), len(aos.users.all()), len(aos.layers.all())) == (1, 1, 1)


def test_a_checksum_is_bytes_in_and_bytes_out(aos: Tables) -> None:
    """One version of the Service Manager returned hex, another the bytes as a string."""
    aos.services.add(Service(id="nav"))
    aos.users.add_service(["ann"], "nav")
    for checksum in (bytes(range(228, 256)), b"", b"\0"):
        aos.users.set_state_checksum(["ann"], "nav", checksum)
        assert aos.users.get(["ann"], "nav").state_checksum == checksum


# -- What `dataset` does by itself ----------------------------------------------------------------------


def test_no_write_is_left_uncommitted_with_the_lock_held(file: Path) -> None:
    """A write through `query()` of dataset is not committed, and keeps all others out."""
    with Database.open(file) as database:
        database.of(1).services.add(Service(id="nav"))
        other = dataset.connect(f"sqlite:///{file}", sqlite_wal_mode=False)
        other["config"].insert({"workspace": 9, "version": 1}, ensure=False)
        assert database.of(9).config.operation_version() == 1
        assert [row["id"] for row in other["services"]] == ["nav"]
        other.close()


def test_what_a_transaction_has_read_is_true_until_it_ends(database: Database) -> None:
    """A transaction of dataset takes no lock before its first write: 4 threads lost 600 of 800 changes."""
    database.of(1).services.add(Service(id="nav"))

    def bump(tables: Tables) -> None:
        version = tables.services.get("nav").version
        tables.services.update(Service(id="nav", version=version + 1))

    together(60, [lambda: [database.transact(1, bump) for _ in range(50)]] * 4)
    assert database.of(1).services.get("nav").version == 200


def test_rows_that_are_put_at_the_same_time_are_one_row(database: Database) -> None:
    """An upsert of dataset looks and then writes, and its index is not unique: 50 keys became 60 rows."""

    def put() -> None:
        for n in range(50):
            database.of(1).traffic.set(f"c{n}", n, n)
            database.of(n).config.set_operation_version(n)
            database.flush()

    together(60, [put] * 8)
    assert len(database.of(1).traffic.all()) == 50
    assert [database.of(n).config.operation_version() for n in range(50)] == [*range(50)]


def test_more_threads_than_connections_wait_shortly_and_for_each_other_only(location: str) -> None:
    """dataset keeps a connection for each thread that ever came; the sixteenth waits for 30 seconds."""
    with Database.open(location, settings=Settings(readers=2)) as database:
        database.of(1).services.add(Service(id="nav"))
        started = []

        def work() -> None:
            started.append(database.of(1).services.get("nav"))

        together(25, [work] * 40)
        assert len(started) == 40


def test_a_column_has_the_type_that_was_declared_and_not_what_a_value_looked_like(aos: Tables) -> None:
    """dataset guesses types of the first value: bytes become TEXT."""
    aos.services.add(Service(id="1", version=1, unit="2", layer_list="[]"))
    aos.users.add_service(["1"], "1")
    aos.users.set_state_checksum(["1"], "1", b"1")
    aos.users.set_storage_folder(["1"], "1", "1")
    found = aos.users.get(["1"], "1")
    assert (found.state_checksum, found.storage_folder, aos.services.get("1").unit) == (b"1", "1", "2")


def test_making_a_table_is_taken_back_with_the_rest(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback of dataset leaves the tables that were made."""
    from statehold_aos.database.migrations import _run

    monkeypatch.setattr(_run, "_note", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        migrate(file)
    monkeypatch.undo()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    Database.open(file).close()
