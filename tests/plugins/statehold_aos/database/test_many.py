"""Many threads and many processes at once."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap
import threading

import pytest

from statehold.testing._patience import together
from statehold_aos.database import AosDatabaseError, Database, ExistsError, Service, Settings, Tables


def bump(tables: Tables) -> None:
    version = tables.services.get("nav").version
    tables.services.update(Service(id="nav", version=version + 1))


def test_64_threads_lose_no_change_and_all_go_on(location: str) -> None:
    """Each reads, changes what it has read, adds rows of its own and counts traffic."""
    with Database.open(location, settings=Settings(synchronous="NORMAL")) as database:
        aos = database.of(1)
        aos.services.add(Service(id="nav"))

        def work(thread: int) -> None:
            for n in range(10):
                database.transact(1, bump)
                aos.services.add(Service(id=f"s{thread}.{n}"))
                aos.users.add_service([f"u{thread}"], f"s{thread}.{n}")
                aos.traffic.set(f"c{thread}", n, n)
                assert len(aos.users.services([f"u{thread}"])) == n + 1
                assert aos.traffic.get(f"c{thread}").value == n

        together(120, [functools.partial(work, thread) for thread in range(64)])
        assert aos.services.get("nav").version == 640
        assert len(aos.services.all()) == 641
        assert len(aos.users.all()) == 640
        assert [one.value for one in aos.traffic.all()] == [9] * 64


def test_of_64_who_add_the_same_row_one_succeeds(location: str) -> None:
    with Database.open(location) as database:
        added, refused = [], []

        def work() -> None:
            try:
                database.of(1).services.add(Service(id="nav"))
                added.append(1)
            except ExistsError:
                refused.append(1)

        together(60, [work] * 64)
        assert (len(added), len(refused)) == (1, 63)


def test_threads_come_and_go_without_leaving_connections(file) -> None:
    with Database.open(file, settings=Settings(readers=2)) as database:
        database.of(1).services.add(Service(id="nav"))
        for _ in range(20):
            together(30, [functools.partial(database.of(1).services.get, "nav")] * 8)
        assert database._readers.pool.checkedin() <= 2


def test_a_read_does_not_wait_for_a_transaction(location: str) -> None:
    with Database.open(location) as database:
        aos = database.of(1)
        aos.services.add(Service(id="nav", version=1))
        written, read = threading.Event(), threading.Event()

        def change(tables: Tables) -> None:
            tables.services.update(Service(id="nav", version=2))
            written.set()
            assert read.wait(20)

        def look() -> None:
            assert written.wait(20)
            assert aos.services.get("nav").version == 1
            read.set()

        together(30, [lambda: database.transact(1, change), look])
        assert aos.services.get("nav").version == 2


PROCESS = textwrap.dedent(
    """
    import sys
    from statehold_aos.database import Database, Service

    def bump(tables):
        version = tables.services.get("nav").version
        tables.services.update(Service(id="nav", version=version + 1))

    with Database.open(sys.argv[1]) as database:
        for _ in range(50):
            database.transact(1, bump)
    """
)


def test_processes_lose_no_change_of_each_other(location: str) -> None:
    with Database.open(location) as database:
        database.of(1).services.add(Service(id="nav"))
        processes = [subprocess.Popen([sys.executable, "-c", PROCESS, location]) for _ in range(3)]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        assert database.of(1).services.get("nav").version == 150


SAYING = textwrap.dedent(
    """
    import itertools, sys
    from statehold_aos.database import Database, Service

    with Database.open(sys.argv[1]) as database:
        for n in itertools.count():
            def install(tables):
                tables.services.add(Service(id=str(n)))
                tables.users.add_service(["ann"], str(n))
            database.transact(1, install)
            print(n, flush=True)
    """
)


def test_kill_9_loses_nothing_that_has_returned_and_leaves_no_half_transaction(location: str) -> None:
    asked = [sys.executable, "-c", SAYING, location]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(40):
            process.stdout.readline()
        process.kill()
        said = 40 + len(process.stdout.read().splitlines())
    with Database.open(location) as database:
        services = {one.id for one in database.of(1).services.all()}
        assert {str(n) for n in range(said)} <= services
        assert {one.service_id for one in database.of(1).users.all()} == services


def test_those_who_open_a_new_database_at_the_same_time_all_find_it_made(location: str) -> None:
    opened: list[Database] = []
    together(60, [lambda: opened.append(Database.open(location))] * 6)
    opened[0].of(1).services.add(Service(id="nav"))
    assert all(database.of(1).services.get("nav") for database in opened)
    for database in opened:
        database.close()


def test_an_exit_in_a_transaction_ends_nobody_else(file) -> None:
    with Database.open(file) as database:
        with pytest.raises(SystemExit):
            database.transact(1, lambda _: sys.exit(3))
        database.of(1).services.add(Service(id="nav"))


def test_what_a_transaction_raises_reaches_its_caller_as_it_is(database: Database) -> None:
    def fail(tables: Tables) -> None:
        tables.services.add(Service(id="nav"))
        raise FileNotFoundError("a folder of my own")

    with pytest.raises(FileNotFoundError, match="a folder of my own"):
        database.transact(1, fail)
    assert database.of(1).services.all() == []


def test_a_disk_that_is_full_is_told_to_each_who_wrote_and_nothing_of_it_is_there(file) -> None:
    with Database.open(file) as database:
        aos = database.of(1)
        aos.services.add(Service(id="nav"))
        (pages,) = database.write(lambda one: one.exec_driver_sql("PRAGMA page_count").one())
        database.write(lambda one: one.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))

        def add() -> None:
            with pytest.raises(AosDatabaseError, match="full"):
                aos.services.add(Service(id="big", permissions="x" * 1_000_000))

        together(30, [add] * 4)
        assert [one.id for one in aos.services.all()] == ["nav"]
        database.write(lambda one: one.exec_driver_sql("PRAGMA max_page_count = 1000000"))
        aos.services.add(Service(id="big", permissions="x" * 1_000_000))
