from __future__ import annotations

import logging
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

sys.path.insert(0, str(Path(__file__).parent))

from old_databases import RELEASE_2_2, SEED, SEED_ROWS, dump, rows, write

from statehold_aos.database import (
    CURRENT,
    AosSchemaError,
    Database,
    Instance,
    Options,
    Place,
    Service,
    Settings,
    UnavailableError,
    UsersService,
    migrate,
)

TABLES = ("config", "services", "users", "trafficmonitor", "layers")
NAV_START = 1_603_974_896_789


# -- What Service Managers have written -----------------------------------------------------------------


def test_a_database_of_the_seed_s_page_is_opened_with_its_typo_and_its_stray_column(file: Path) -> None:
    write(file, SEED, SEED_ROWS)
    with Database.open(file) as database:
        aos = database.of(1)
        nav = aos.services.get("nav")
        assert (nav.service_provider, nav.user, nav.hostname) == ("acme", "user5000", "navhost")
        assert nav.start_at == NAV_START - 2 * 3_600_000
        assert aos.services.get("idle").start_at is None
        assert (aos.config.operation_version(), aos.config.journal_cursor()) == (3, "s=1")
        assert aos.users.get(["ann", "bob"], "nav").state_checksum == b"\1\2"
        assert aos.traffic.get("AOS_IN").value == 12_345_678_901
        assert aos.layers.path("sha256:1") == "/l/1"
    assert [row["service"] for row in rows(file, "services")] == ["", "aos_nav.service"]


def test_a_database_of_a_later_service_manager_keeps_what_the_seed_does_not_have(file: Path) -> None:
    write(file, RELEASE_2_2)
    with Database.open(file) as database:
        aos = database.of(1)
        nav = aos.services.get("nav")
        assert (nav.uid, nav.gid, nav.hostname, nav.board_resources) == (5000, 5001, "navhost", '["can0"]')
        assert nav.start_at == NAV_START
        assert aos.config.upgrade_data() == b"[]"
        assert aos.users.get(["ann"], "nav").override_env_vars == "{}"
        layer = aos.layers.get("sha256:1")
        assert (layer.version, layer.timestamp, layer.cached, layer.size) == (2, NAV_START - 789, 1, 77)


def test_rows_of_a_service_manager_go_to_the_workspace_that_is_named(file: Path) -> None:
    write(file, SEED, SEED_ROWS)
    with Database.open(file, settings=Settings(workspace=65_537)) as database:
        assert len(database.of(65_537).services.all()) == 2
        assert database.of(1).services.all() == []


def test_a_database_that_lacks_a_table_gets_it(file: Path) -> None:
    write(file, "CREATE TABLE users (users TEXT, serviceid TEXT, PRIMARY KEY(users, serviceid))")
    with Database.open(file) as database:
        database.of(1).services.add(Service(id="nav"))
        assert len(database.of(1).services.all()) == 1


def test_users_whose_service_is_gone_are_put_aside_and_told(file: Path, caplog) -> None:
    write(file, SEED, SEED_ROWS, "INSERT INTO users VALUES ('[\"eve\"]', 'gone', '/storages/9', NULL)")
    with Database.open(file) as database:
        assert len(database.of(1).users.all()) == 2
    assert "1 rows of users name a service that is not there" in caplog.text
    (aside,) = rows(file, "users_orphaned")
    assert (aside["users"], aside["storageFolder"]) == ('["eve"]', "/storages/9")
    migrate(file, to=1)
    assert [row["users"] for row in rows(file, "users")] == ['["ann","bob"]', '["ann","bob"]', '["eve"]']


def test_one_damaged_field_does_not_keep_the_others_from_being_read(file: Path, caplog) -> None:
    write(file, SEED, SEED_ROWS, "UPDATE services SET startat = 'soon', ttl = 'x' WHERE id = 'nav'")
    with Database.open(file) as database:
        nav = database.of(1).services.get("nav")
        assert (nav.start_at, nav.ttl, nav.version) == (None, 0, 3)
        assert len(database.of(1).services.all()) == 2
    assert "services.startat was 'soon', expected a time" in caplog.text
    assert [row["startat"] for row in rows(Path(f"{file}.v1_0"), "services")][1] == "soon"


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("'2020-10-29 12:34:56.789012345+02:00'", NAV_START - 7_200_000),
        ("'2020-10-29T12:34:56.789Z'", NAV_START),
        ("'2020-10-29 12:34:56'", NAV_START - 789),
        ("'2020-10-29'", NAV_START - 789 - 45_296_000),
        ("1603974896", 1_603_974_896_000),
        ("1603974896789", 1_603_974_896_789),
        ("'0001-01-01 00:00:00+00:00'", None),
        ("NULL", None),
    ],
)
def test_times_are_read_as_go_writes_them(file: Path, written: str, milliseconds: int | None) -> None:
    write(file, SEED, SEED_ROWS, f"UPDATE services SET startat = {written} WHERE id = 'nav'")
    with Database.open(file) as database:
        assert database.of(1).services.get("nav").start_at == milliseconds


# -- Forward and back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [(SEED, SEED_ROWS), (RELEASE_2_2,)], ids=["seed", "2.2"])
def test_back_to_the_service_manager_s_schema_and_forward_again_nothing_has_changed(
    file: Path, scripts: tuple[str, ...]
) -> None:
    write(file, *scripts)
    at_first = {table: rows(file, table) for table in TABLES}
    columns = {table: [*map(str, row[0])] for table, row in at_first.items() if row}
    migrate(file)
    forward = {table: rows(file, table) for table in TABLES}
    done = migrate(file, to=1)
    assert [(one.before, one.after) for one in done] == [(5, 4), (4, 3), (3, 2), (2, 1)]
    for table, old in at_first.items():
        back = rows(file, table)
        assert all([*row] == columns[table] for row in back)
        # Times have no more than milliseconds, and are of UTC.
        times = {"startat", "time", "timestamp"}
        assert [{k: v for k, v in row.items() if k not in times} for row in back] == [
            {k: v for k, v in row.items() if k not in times} for row in old
        ]
    migrate(file)
    assert {table: rows(file, table) for table in TABLES} == forward


def test_every_step_can_be_gone_forward_and_back_on_both_databases(location: str) -> None:
    with Database.open(location) as database:
        aos = database.of(7)
        aos.services.add(Service(id="a\0b\1c", user="me", uid=5, start_at=123))
        aos.users.add_service(["é"], "a\0b\1c")
        aos.traffic.set("in", -1, 1)
        aos.instances.add(Instance(service_id="a", subject_id="é"))
    for version in (4, 3, 2, 3, 5, 2, 1, 2, 1, 5, 1, 5):
        migrate(location, to=version, options=Options(workspace=7))
    with Database.open(location) as database:
        aos = database.of(7)
        # Of a new database, schema 1 is the seed's, which has no place for a uid.
        assert aos.services.all() == [Service(id="a\0b\1c", user="me", start_at=123)]
        assert aos.users.all() == [UsersService(users='["é"]', service_id="a\0b\1c")]
        assert aos.traffic.get("in").time == -1
        assert aos.instances.all() == []


def test_a_new_database_is_made_without_a_backup_and_only_for_its_owner(file: Path) -> None:
    assert [(one.before, one.after, one.backup) for one in migrate(file)] == [(0, CURRENT, "")]
    assert migrate(file) == []
    assert [path.name for path in file.parent.iterdir()] == ["aos.db"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_schema_1_has_room_for_one_workspace(location: str) -> None:
    with Database.open(location) as database:
        for workspace in (1, 2):
            database.of(workspace).services.add(Service(id="nav"))
    with pytest.raises(AosSchemaError, match="rows of the workspaces 1, 2"):
        migrate(location, to=1)
    with pytest.raises(AosSchemaError, match="expected a schema from 1 to 5, got 0"):
        migrate(location, to=0)
    with Database.open(location) as database:
        assert len(database.of(2).services.all()) == 1


def test_keys_are_unique_references_hold_and_look_ups_have_an_index(location: str) -> None:
    with Database.open(location) as database:

        def look(connection) -> None:
            inspector = inspect(connection)
            for table, key in (("services", ["id"]), ("users", ["users", "serviceid"]), ("config", [])):
                assert inspector.get_pk_constraint(table)["constrained_columns"] == ["workspace", *key]
            (reference,) = inspector.get_foreign_keys("users")
            assert reference["referred_columns"] == ["workspace", "id"]
            assert len(inspector.get_indexes("services")) == 2

        database.read(look)


# -- Backups --------------------------------------------------------------------------------------------


def test_each_step_leaves_a_backup_that_can_be_taken_back(file: Path) -> None:
    write(file, SEED, SEED_ROWS)
    file.chmod(0o640)
    before = dump(file)
    done = migrate(file)
    names = ["aos.db.v1_0", "aos.db.v2_1", "aos.db.v3_2", "aos.db.v4_3"]
    assert [Path(one.backup).name for one in done] == names
    assert dump(Path(done[0].backup)) == before
    assert Path(done[0].backup).stat().st_mode & 0o777 == 0o640
    shutil.copy(done[0].backup, file)
    for path in (Path(f"{file}-wal"), Path(f"{file}-shm")):
        path.unlink(missing_ok=True)
    with Database.open(file) as database:
        assert len(database.of(1).services.all()) == 2


def test_in_postgresql_a_backup_is_a_schema(url: str) -> None:
    with Database.open(url) as database:
        database.of(1).services.add(Service(id="nav"))
    backups = [one.backup.removeprefix("schema ") for one in migrate(url, to=1)]
    assert [name.rpartition("_v")[2] for name in backups] == ["5_0", "4_1", "3_2", "2_3"]
    import psycopg

    with psycopg.connect(url) as connection:
        for name in backups:
            # A long name of a schema would be cut off, and the copy could not be told from it.
            assert len(name) <= 63
            assert connection.execute(f"SELECT id FROM {name}.services").fetchall() == [("nav",)]


def test_who_may_not_make_a_schema_migrates_nothing(url: str) -> None:
    import psycopg

    Database.open(url).close()
    with psycopg.connect(url, autocommit=True) as connection:
        (schema,) = connection.execute("SELECT current_schema()").fetchone()
        connection.execute(f"CREATE ROLE small_{schema} LOGIN")
        connection.execute(f"GRANT ALL ON SCHEMA {schema} TO small_{schema}")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO small_{schema}")
    small = url.replace("statehold@", f"small_{schema}@")
    with pytest.raises(Exception, match="permission denied"):
        migrate(small, to=2)
    with Database.open(url) as database:
        assert database.of(1).services.all() == []


# -- What is refused ------------------------------------------------------------------------------------


def refused(file: Path, match: str) -> None:
    """Fail unless the database is refused and left as it was, byte by byte."""
    before, beside = file.read_bytes(), sorted(file.parent.iterdir())
    for attempt in (lambda: Database.open(file), lambda: migrate(file, to=1)):
        with pytest.raises(AosSchemaError, match=match):
            attempt()
    assert (file.read_bytes(), sorted(file.parent.iterdir())) == (before, beside)


def test_a_newer_database_is_refused(file: Path) -> None:
    migrate(file)
    write(file, "PRAGMA journal_mode = DELETE; UPDATE aos_schema SET version = 6")
    refused(file, "has schema 6, this version of Statehold knows 1 to 5. Use the version")


def test_a_dirty_database_of_a_service_manager_is_refused(file: Path) -> None:
    write(file, RELEASE_2_2, "UPDATE schema_migrations SET dirty = 1")
    refused(file, "is dirty: a migration of the Service Manager to its version 4 did not end")


def test_a_newer_database_of_a_service_manager_is_refused(file: Path) -> None:
    write(file, RELEASE_2_2, "UPDATE schema_migrations SET version = 8")
    refused(file, "of the Service Manager's schema 8, known are those up to 7")


def test_a_service_manager_s_database_with_instances_is_refused(file: Path) -> None:
    write(file, "CREATE TABLE services (id TEXT, aosVersion INTEGER, PRIMARY KEY(id, aosVersion))")
    refused(file, r"expected a table services with the key \(id\), got \(aosversion, id\)")


def test_a_communication_manager_s_database_is_refused(file: Path) -> None:
    write(file, "CREATE TABLE config (cursor TEXT); CREATE TABLE storagestate (instanceID TEXT)")
    refused(file, "has a table storagestate: it is that of a Communication Manager. Name the database of")


def test_another_program_s_database_is_refused(file: Path) -> None:
    write(file, "CREATE TABLE moz_places (id INTEGER PRIMARY KEY)")
    refused(file, "has other tables and none of AOS: moz_places")


def test_a_damaged_database_is_refused(file: Path) -> None:
    migrate(file)
    write(file, "PRAGMA journal_mode = DELETE; ALTER TABLE layers DROP COLUMN path")
    refused(file, "is damaged: schema 5 has layers.path, it has not. Bring back a backup")


def test_what_is_no_database_is_refused(file: Path) -> None:
    file.write_bytes(b"a letter to somebody" * 1000)
    refused(file, "file is not a database")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nowhere"):
        Database.open(tmp_path / "nowhere" / "aos.db")


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(UnavailableError, match="/nowhere") as raised:
        Database.open("postgresql://me:hunter2@/x?host=/nowhere")
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(Place.of("postgresql://me:hunter2@/x", password="hunter2"))


def test_a_database_that_was_migrated_meanwhile_is_written_no_more(location: str) -> None:
    with Database.open(location) as database:
        database.of(1).services.add(Service(id="nav"))
        migrate(location, to=2)
        with pytest.raises(AosSchemaError, match="was brought to schema 2 while it was open with 5"):
            database.of(1).services.remove("nav")
        migrate(location)
        database.of(1).services.remove("nav")


# -- kill -9 --------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from statehold_aos.database import migrate

steps, last = 0, int(sys.argv[2])
def trace(frame, event, argument):
    global steps
    if "statehold_aos" in frame.f_code.co_filename:
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
sys.settrace(trace)
migrate(sys.argv[1], to=int(sys.argv[3]))
sys.settrace(None)
print(steps)
"""


def migrate_and_kill(file: Path, at: int, to: int) -> subprocess.CompletedProcess[str]:
    """Migrate in a process that dies at its step *at*; if it has none, it says how many there are."""
    asked = [sys.executable, "-c", KILLED, str(file), str(at), str(to)]
    return subprocess.run(asked, check=False, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("to", [CURRENT, 1])
def test_kill_9_at_any_moment_leaves_one_schema_or_the_next(tmp_path: Path, to: int) -> None:
    """The process is killed at moments spread over the whole migration; what it leaves can be used."""
    original = tmp_path / "original.db"
    write(original, SEED, SEED_ROWS)
    if to == 1:
        migrate(original)

    def attempt(name: str, at: int) -> tuple[subprocess.CompletedProcess[str], object]:
        file = tmp_path / name / "aos.db"
        file.parent.mkdir()
        shutil.copy(original, file)
        ended = migrate_and_kill(file, at, to)
        with Database.open(file) as database:
            aos = database.of(1)
            return ended, (aos.services.all(), aos.users.all(), aos.traffic.all(), aos.layers.all())

    whole, expected = attempt("whole", 0)
    for moment in range(1, 6):
        ended, found = attempt(str(moment), int(whole.stdout) * moment // 6)
        assert ended.returncode == -9
        assert found == expected


def test_a_backup_that_was_interrupted_is_made_anew_and_no_other_one_is_overwritten(file: Path) -> None:
    write(file, SEED, SEED_ROWS)
    before = dump(file)
    (file.parent / ".aos.db.v1_0.part").write_bytes(b"half")
    (file.parent / "aos.db.v1_0").write_bytes(b"of another database that was here")
    (first, *others) = migrate(file)
    assert Path(first.backup).name == "aos.db.v1_0_2"
    assert dump(Path(first.backup)) == before
    assert (file.parent / "aos.db.v1_0").read_bytes() == b"of another database that was here"
    assert not (file.parent / ".aos.db.v1_0.part").exists()
    shutil.copy(first.backup, file)
    assert [one.backup for one in migrate(file)] == [
        first.backup,
        *(one.backup for one in others),
    ]


def test_migrations_are_told_in_the_log(file: Path, caplog) -> None:
    write(file, SEED, SEED_ROWS)
    with caplog.at_level(logging.INFO, "statehold.aos"):
        Database.open(file).close()
    assert "schema 1 became 2; before, it was copied to" in caplog.text


def test_a_service_manager_s_own_code_can_read_what_was_brought_back(file: Path) -> None:
    """It reads columns by their place, and no NULL but in a BLOB."""
    with Database.open(file) as database:
        database.of(1).services.add(Service(id="nav"))
        database.of(1).users.add_service(["ann"], "nav")
        database.write(lambda one: one.exec_driver_sql("UPDATE services SET unit = NULL, ttl = NULL"))
    migrate(file, to=1)
    with closing(sqlite3.connect(file)) as connection:
        (row,) = connection.execute("SELECT * FROM services")
    assert row == (
        "nav",
        0,
        "",
        "",
        "",
        "",
        "",
        "",
        0,
        0,
        "0001-01-01 00:00:00+00:00",
        0,
        *[""],
        *[0] * 6,
        "",
        "",
    )
