"""What becomes of an open database when the server of PostgreSQL stops."""

from __future__ import annotations

import signal

import pytest

from statehold_aos.database import AosDatabaseError, Database, Service, Settings, UnavailableError, migrate


def test_a_server_that_was_away_is_used_again_and_counters_wait_for_it(postgres, url: str) -> None:
    with Database.open(url, settings=Settings(traffic_seconds=3600)) as database:
        aos = database.of(1)
        aos.services.add(Service(id="nav"))
        postgres.stop(signal.SIGQUIT)
        aos.traffic.set("in", 1, 1)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                aos.services.add(Service(id="other"))
            with pytest.raises(UnavailableError):
                aos.services.all()
        postgres.start()
        aos.services.add(Service(id="other"))
        assert [one.id for one in aos.services.all()] == ["nav", "other"]
    with Database.open(url) as database:
        assert database.of(1).traffic.get("in").value == 1


def test_a_server_that_goes_away_amid_a_transaction_is_told_as_such(postgres, url: str) -> None:
    with Database.open(url, settings=Settings(traffic_seconds=3600)) as database:
        aos = database.of(1)
        aos.services.add(Service(id="nav"))
        aos.traffic.set("in", 1, 1)
        with pytest.raises(UnavailableError):
            database.write(lambda _: postgres.stop(signal.SIGQUIT))
        postgres.start()
        assert [one.id for one in aos.services.all()] == ["nav"]


def test_a_schema_of_the_longest_name_is_copied_beside_itself(postgres) -> None:
    name = "aos_" + "x" * 59
    postgres.schema(name)
    url = f"postgresql://statehold@/postgres?host={postgres._folder}&options=-csearch_path%3D{name}"
    for _ in range(2):
        with Database.open(url) as database:
            database.of(1).config.set_operation_version(1)
        backups = [done.backup for done in migrate(url, to=2)]
        assert all(len(backup) == len("schema ") + 63 for backup in backups)


def test_a_conninfo_that_cannot_be_read_is_told_without_its_password() -> None:
    with pytest.raises(AosDatabaseError, match="something else") as raised:
        Database.open("postgresql://me:hunter2@host:port:port/x?nothing=1")
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__
