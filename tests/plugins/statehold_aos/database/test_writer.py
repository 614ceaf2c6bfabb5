"""Who writes, and when."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection

from statehold_aos.database import Database, ExistsError, Service, Settings, Tables

NEVER = Settings(traffic_seconds=3600)


def thread(_: Connection) -> int:
    return threading.get_ident()


def test_who_writes_while_nobody_does_so_writes_on_its_own_thread(database: Database) -> None:
    assert database.write(thread) == threading.get_ident()


def test_those_who_come_while_somebody_writes_share_what_follows(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()
    found: list[int] = []

    def slow(_: Connection) -> None:
        begun.set()
        assert go_on.wait(60)

    first = threading.Thread(target=database.write, args=(slow,))
    first.start()
    assert begun.wait(60)
    others = [
        threading.Thread(target=lambda: found.append(database.write(thread)), daemon=True) for _ in range(8)
    ]
    for one in others:
        one.start()
    ready = threading.Event()
    while len(database._writer._waiting) < 8:
        ready.wait(0.01)
    go_on.set()
    for one in (first, *others):
        one.join(60)
    assert len(found) == 8
    assert len(set(found)) == 1, "one thread has done them all"
    while database._writer._writes is not None:  # it has told them before it lets others write
        ready.wait(0.01)
    assert database.write(thread) == threading.get_ident()


def test_who_fails_alone_changes_nothing_and_keeps_nobody_from_writing(
    database: Database, aos: Tables
) -> None:
    aos.services.add(Service(id="nav"))

    def fails(tables: Tables) -> None:
        tables.services.add(Service(id="map"))
        tables.services.add(Service(id="nav"))

    with pytest.raises(ExistsError):
        database.transact(1, fails)
    aos.services.add(Service(id="map"))
    assert len(aos.services.all()) == 2


def test_who_is_interrupted_changes_nothing_and_keeps_nobody_from_writing(
    database: Database, aos: Tables
) -> None:
    def interrupted(tables: Tables) -> None:
        tables.services.add(Service(id="nav"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.transact(1, interrupted)
    aos.services.add(Service(id="nav"))


def test_counters_are_written_with_a_change_that_fails(location: str) -> None:
    with Database.open(location, settings=NEVER) as database:
        aos = database.of(1)
        aos.services.add(Service(id="nav"))
        aos.traffic.set("in", 1, 1)
        with pytest.raises(ExistsError):
            aos.services.add(Service(id="nav"))
        assert database.counted((1, "in")) is None, "it is in the database"
        assert aos.traffic.get("in").value == 1
