from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.hosting._entry import Entry, Role
from statehold.hosting._registry import Registry
from statehold.sdk import HostError

FIRST_FORMAT = (
    """CREATE TABLE versions (
        id INTEGER PRIMARY KEY, app TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
        partitions INTEGER NOT NULL, role TEXT NOT NULL, plugins TEXT NOT NULL, deployed_at REAL NOT NULL
    )""",
    "INSERT INTO versions VALUES (1, 'acme.bills', '1', 'd', 1, 'current', 'aa', 0)",
    "PRAGMA user_version = 1",
)


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path / "registry.db")
    yield registry
    registry.close()


def entry(version, role=Role.CURRENT, app="acme.bills", **kwargs):
    return Entry(app=app, version=version, digest=version * 4, partitions=1, role=role, **kwargs)


def roles(registry, app="acme.bills"):
    return {found.version: found.role.value for found in registry.entries(app)}


def test_a_new_registry_is_empty(registry):
    assert registry.entries() == ()


def test_an_entry_comes_back_as_it_was_written(tmp_path):
    written = entry("1", plugins=("aa", "bb"), places=(("bills.Scada", "sidecar"), ("sys.Http", "inprocess")))
    registry = Registry(tmp_path / "odd ?%20#name.db")
    registry.add(written)
    registry.close()
    registry = Registry(tmp_path / "odd ?%20#name.db")
    assert registry.entries() == (written,)
    registry.close()


def test_a_file_of_the_first_format_is_read_and_then_of_this_one(tmp_path):
    path = tmp_path / "registry.db"
    with sqlite3.connect(path) as db:
        for statement in FIRST_FORMAT:
            db.execute(statement)
    db.close()
    for _ in range(2):
        registry = Registry(path)
        (found,) = registry.entries()
        assert (found.version, found.role, found.plugins, found.places) == ("1", Role.CURRENT, ("aa",), ())
        registry.close()


def test_a_new_current_version_makes_the_one_before_it_the_previous_one(registry):
    for version in "123":
        registry.add(entry(version))
    assert roles(registry) == {"2": "previous", "3": "current"}


@pytest.mark.parametrize("keep", range(6))
def test_as_many_are_kept_as_is_asked(registry, keep):
    for version in "12345678":
        registry.add(entry(version), keep=keep)
    before = "1234567"[-max(keep, 1) :]
    assert roles(registry) == {
        **dict.fromkeys(before[:-1], "kept"),
        before[-1]: "previous",
        "8": "current",
    }


def test_a_ready_version_leaves_the_others_as_they_are(registry):
    registry.add(entry("1"))
    registry.add(entry("2"))
    registry.add(entry("3", Role.READY))
    assert roles(registry) == {"1": "previous", "2": "current", "3": "ready"}


def test_a_roll_back_exchanges_current_and_previous(registry):
    registry.add(entry("1"))
    registry.add(entry("2"))
    registry.add(entry("1"))
    assert roles(registry) == {"1": "current", "2": "previous"}


def test_the_current_version_written_again_keeps_the_previous_one(registry):
    registry.add(entry("1"))
    registry.add(entry("2"))
    registry.add(entry("2"))
    assert roles(registry) == {"1": "previous", "2": "current"}


def test_forgetting_is_of_one_version_or_of_the_app(registry):
    registry.add(entry("1"))
    registry.add(entry("2"))
    registry.add(entry("1", app="acme.other"))
    registry.forget("acme.bills", "1")
    assert roles(registry) == {"2": "current"}
    registry.forget("acme.bills")
    assert [found.app for found in registry.entries()] == ["acme.other"]


def test_the_file_itself_refuses_a_second_current_version(registry, tmp_path):
    registry.add(entry("1"))
    with sqlite3.connect(tmp_path / "registry.db") as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(
            "INSERT INTO versions (app, version, digest, partitions, role, plugins, deployed_at) "
            "VALUES ('acme.bills', '2', 'd', 1, 'current', '', 0)"
        )
    db.close()


def test_a_failing_change_changes_nothing(registry, monkeypatch):
    registry.add(entry("1"))
    with pytest.raises(HostError):
        registry.add(Entry(app="acme.bills", version="2", digest=None, partitions=1, role=Role.CURRENT))
    assert roles(registry) == {"1": "current"}


def test_after_a_commit_that_failed_the_next_change_is_made(registry):
    def refuse(action, what, *_):
        return (
            sqlite3.SQLITE_DENY
            if (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT")
            else sqlite3.SQLITE_OK
        )

    registry.add(entry("1"))
    with pytest.raises(HostError, match="not authorized"):
        registry.transact(lambda db: db.executable.connection.driver_connection.set_authorizer(refuse))
    with pytest.raises(HostError):
        registry.add(Entry(app="acme.bills", version="2", digest=None, partitions=1, role=Role.CURRENT))
    registry.add(entry("3"))
    assert roles(registry) == {"1": "previous", "3": "current"}


def test_writes_are_on_the_disk_when_they_return(registry):
    pragmas = registry.transact(
        lambda db: [list(db.query(f"PRAGMA {name}")) for name in ("synchronous", "journal_mode")]
    )
    assert pragmas == [[{"synchronous": 2}], [{"journal_mode": "wal"}]]


def test_threads_may_write_at_once(registry):
    def work(name):
        for version in "12345":
            registry.add(entry(version, app=name))

    threads = [threading.Thread(target=work, args=(f"acme.app{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [roles(registry, f"acme.app{number}") for number in range(8)] == [
        {"4": "previous", "5": "current"}
    ] * 8


def test_a_registry_of_a_newer_format_is_refused(registry, tmp_path):
    with sqlite3.connect(tmp_path / "new.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(HostError, match="format 99"):
        Registry(tmp_path / "new.db")


def test_a_file_that_is_no_registry_is_a_host_error(tmp_path):
    (tmp_path / "registry.db").write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(HostError, match=r"cannot be used: .*Put a copy of the file back"):
        Registry(tmp_path / "registry.db")


def test_a_row_that_no_statehold_wrote_is_a_host_error(tmp_path):
    registry = Registry(tmp_path / "registry.db")
    registry.add(entry("1"))
    registry.transact(lambda db: db["versions"].update({"id": 1, "role": "king"}, ["id"]))
    registry.close()
    with pytest.raises(HostError, match=r"holds what no Statehold wrote: 'king'.*Put a copy"):
        Registry(tmp_path / "registry.db")


def test_what_is_under_way_when_it_is_closed_is_still_done(tmp_path):
    registry = Registry(tmp_path / "registry.db")
    registry.add(entry("1"))
    busy, go_on = threading.Event(), threading.Event()

    def keep_busy(_):
        busy.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(3) as threads:
        threads.submit(registry.transact, keep_busy)
        assert busy.wait(60)
        # Each waits for its turn: the first one by the queue of the registry's thread.
        forgotten = threads.submit(registry.forget, "acme.bills")
        waiting = registry._thread._work_queue
        while not waiting.qsize() and not forgotten.done():
            threading.Event().wait(0.001)
        closed = threads.submit(registry.close)
        while waiting.qsize() < 2 and not closed.done():
            threading.Event().wait(0.001)
        go_on.set()
        forgotten.result(60)
        closed.result(60)
    registry = Registry(tmp_path / "registry.db")
    assert registry.entries() == ()
    registry.close()


def test_a_closed_registry_says_so(tmp_path):
    registry = Registry(tmp_path / "registry.db")
    registry.close()
    with pytest.raises(HostError, match="closed"):
        registry.entries()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("1234"), st.sampled_from(Role)), max_size=12)
)
def test_there_is_never_more_than_one_current_and_one_previous_version(tmp_path_factory, steps):
    registry = Registry(tmp_path_factory.mktemp("registry") / "registry.db")
    for app, version, role in steps:
        if role is Role.PREVIOUS:
            registry.forget(app, version)
        else:
            registry.add(entry(version, role, app=app))
        for name in "abc":
            held = [found.role for found in registry.entries(name)]
            assert held.count(Role.CURRENT) <= 1
            assert held.count(Role.PREVIOUS) <= 1
    registry.close()
