from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from statehold_aos.database import AosDatabaseError, Database, Settings, Traffic

NEVER = Settings(traffic_seconds=3600)


def test_counters_are_there_after_a_restart(location: str) -> None:
    with Database.open(location, settings=NEVER) as database:
        for n in range(500):
            database.of(1).traffic.set(f"chain{n % 50}", n, n * 10)
    with Database.open(location) as database:
        found = database.of(1).traffic.all()
    assert sorted(found, key=lambda one: one.time) == [
        Traffic(chain=f"chain{n % 50}", time=n, value=n * 10) for n in range(450, 500)
    ]


def test_many_counters_are_one_transaction(file: Path) -> None:
    with Database.open(file, settings=NEVER) as database, Database.open(file) as other:
        for n in range(100):
            database.of(1).traffic.set(f"c{n}", n, n)
        assert other.of(1).traffic.all() == []
        database.flush()
        assert len(other.of(1).traffic.all()) == 100


def test_the_timer_writes_what_nobody_else_writes(location: str) -> None:
    settings = Settings(traffic_seconds=0.05)
    with Database.open(location, settings=settings) as database, Database.open(location) as other:
        for value in (1, 2):
            database.of(1).traffic.set("in", value, value)
            end = time.monotonic() + 60
            while [one.value for one in other.of(1).traffic.all()] != [value]:
                assert time.monotonic() < end, "the timer has not written the counter"


def test_without_a_delay_each_counter_is_written_at_once(file: Path) -> None:
    settings = Settings(traffic_seconds=0)
    with Database.open(file, settings=settings) as database, Database.open(file) as other:
        database.of(1).traffic.set("in", 1, 1)
        assert other.of(1).traffic.get("in").value == 1


def test_a_counter_in_memory_is_older_than_every_later_transaction(location: str) -> None:
    with Database.open(location, settings=NEVER) as database:
        aos = database.of(1)
        aos.traffic.set("in", 1, 1)
        database.transact(1, lambda tables: tables.traffic.set("in", 2, 2))
        database.flush()
        assert aos.traffic.get("in").value == 2
        aos.traffic.set("in", 3, 3)
        aos.traffic.remove("in")
        database.flush()
        assert aos.traffic.all() == []


def test_nothing_runs_while_no_counter_waits(file: Path) -> None:
    with Database.open(file, settings=Settings(traffic_seconds=0.001)) as database:
        database.of(1).traffic.set("in", 1, 1)
        database.flush()
        assert database._writer._due is None


KILLED = textwrap.dedent(
    """
    import sys, time
    from statehold_aos.database import Database, Settings

    database = Database.open(sys.argv[1], settings=Settings(traffic_seconds=0.1))
    aos, n = database.of(1), 0
    while True:
        n += 1
        aos.traffic.set("in", time.monotonic_ns() // 1_000_000, n)
        aos.traffic.set("out", n, n)
        if n % 100 == 0:
            print(time.monotonic_ns() // 1_000_000, flush=True)
        time.sleep(0.0005)
    """
)


def test_kill_9_loses_what_was_counted_in_the_last_moments_and_nothing_older(file: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        said = [int(one.stdout.readline()) for _ in range(10)][-1]
        one.kill()
    with Database.open(file) as database:
        found = {each.chain: each for each in database.of(1).traffic.all()}
    # The interval, and as much again for a machine that is busy with other things.
    assert found["in"].time > said - 100 - 5_000
    assert found["in"].value > 0
    assert abs(found["in"].value - found["out"].value) <= 1


def test_counters_that_cannot_be_written_are_told_when_the_database_is_closed(file: Path, caplog) -> None:
    database = Database.open(file, settings=NEVER)
    database.of(1).traffic.set("in", 1, 1)
    with Database.open(file) as other:
        other.write(lambda connection: connection.exec_driver_sql("DROP TABLE trafficmonitor"))
        with pytest.raises(AosDatabaseError, match="1 traffic counters could not be written"):
            database.close()
    assert "1 traffic counters wait to be written" in caplog.text


def test_counters_wait_for_a_disk_that_is_full_for_a_while(file: Path) -> None:
    with (
        Database.open(file, settings=Settings(traffic_seconds=0.01)) as database,
        Database.open(file) as other,
    ):
        other.write(
            lambda connection: connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON trafficmonitor BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        )
        failed = threading.Event()
        tell = database._failed
        database._writer._failed = lambda error: (tell(error), failed.set())
        database.of(1).traffic.set("in", 1, 1)
        assert failed.wait(20)
        assert database.of(1).traffic.get("in").value == 1
        other.write(lambda connection: connection.exec_driver_sql("DROP TRIGGER full"))
    with Database.open(file) as database:
        assert database.of(1).traffic.get("in").value == 1
