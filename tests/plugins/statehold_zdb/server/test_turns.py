"""What many clients send at once: one write, no waiting for the disk, and answers in order that are true."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from zdb_engines import FailingDisk, contents
from zdb_servers import LIMIT, bulk, clients, everything, exactly, one_turn, raw, request, serving

from statehold_zdb.engine import Durability, Namespace

CLIENTS = 8
CANNOT = b"-Cannot write data right now\r\n"


class Counting(FailingDisk):
    """Counts what is written to data, and how often."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, fd: int, parts: object, size: int, at: int) -> None:
        self.writes += 1
        super().write(fd, parts, size, at)


@contextlib.contextmanager
def waiting(disk: FailingDisk) -> Iterator[threading.Event]:
    """Let every sync wait until the event is set."""
    disk.slow = threading.Event()
    try:
        yield disk.slow
    finally:
        disk.slow.set()


@pytest.mark.parametrize("durability", ["group", "relaxed:3600"])
@pytest.mark.parametrize("depth", [1, 3])
def test_what_clients_set_in_one_turn_is_written_with_one_write(
    tmp_path: Path, durability: str, depth: int
) -> None:
    """And each is answered what it has asked, in order."""
    disk, path = Counting(), tmp_path / "s"
    options = {"durability": Durability.parse(durability), "disk": disk}
    with serving(tmp_path, server={"socket": path}, **options) as running, clients(path, CLIENTS) as made:
        before = disk.writes
        with one_turn(running):
            for i, each in enumerate(made):
                each.sendall(
                    b"".join(request(b"SET", b"%d-%d" % (i, n), b"value %d" % i) for n in range(depth))
                )
        for i, each in enumerate(made):
            expected = b"".join(bulk(b"%d-%d" % (i, n)) for n in range(depth))
            assert exactly(each, len(expected)) == expected
        assert disk.writes == before + 1
        assert contents(running.engine["default"]) == {
            b"%d-%d" % (i, n): b"value %d" % i for i in range(CLIENTS) for n in range(depth)
        }


def test_sets_of_one_turn_are_done_in_order_though_not_all_are_simple(tmp_path: Path) -> None:
    """Updates, keys twice, line ends in payloads, requests in part and other commands are among them.

    Which client comes first is not said: the kernel may tell first of who was heard last.
    """
    path = tmp_path / "s"
    with (
        serving(tmp_path, server={"socket": path}, durability=Durability.parse("relaxed")) as running,
        clients(path, 6) as (simple, update, twice, line, part, mixed),
    ):
        running.engine["default"].write([(b"old", b"1"), (b"there", b"1")])
        tail = request(b"SET", b"part2", b"x" * 3000)
        with one_turn(running):
            simple.sendall(request(b"SET", b"a", b"1"))
            update.sendall(request(b"SET", b"old", b"2") + request(b"SET", b"old", b"2"))
            twice.sendall(request(b"SET", b"b", b"1") + request(b"SET", b"b", b"2"))
            line.sendall(request(b"SET", b"c", b"1\r\n2") + request(b"SET", b"d", b"1"))
            part.sendall(request(b"SET", b"part", b"1") + tail[:1500])
            mixed.sendall(request(b"SET", b"e", b"1") + request(b"GET", b"there") + request(b"DEL", b"e"))
        part.sendall(tail[1500:])
        for each, expected in (
            (simple, bulk(b"a")),
            (update, bulk(b"old") + b"$-1\r\n"),
            (twice, bulk(b"b") * 2),
            (line, bulk(b"c") + bulk(b"d")),
            (part, bulk(b"part") + bulk(b"part2")),
            (mixed, bulk(b"e") + bulk(b"1") + b"+OK\r\n"),
        ):
            assert exactly(each, len(expected)) == expected
        assert contents(running.engine["default"]) == {
            b"a": b"1",
            b"b": b"2",
            b"c": b"1\r\n2",
            b"d": b"1",
            b"old": b"2",
            b"there": b"1",
            b"part": b"1",
            b"part2": b"x" * 3000,
        }


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_a_write_that_the_disk_refuses_is_refused_to_all_whom_it_was_for(
    tmp_path: Path, durability: str
) -> None:
    """None of them is told otherwise; reads are answered, and writes when there is room again."""
    disk, path = Counting(), tmp_path / "s"
    options = {"durability": Durability.parse(durability), "disk": disk}
    with serving(tmp_path, server={"socket": path}, **options) as running, clients(path, CLIENTS) as made:
        running.engine["default"].set(b"old", b"1")
        disk.write_error = errno.ENOSPC
        with one_turn(running):
            for i, each in enumerate(made):
                each.sendall(request(b"SET", b"k%d" % i, b"v") * (1 + i % 2) + request(b"GET", b"old"))
        for i, each in enumerate(made):
            expected = CANNOT * (1 + i % 2) + bulk(b"1")
            assert exactly(each, len(expected)) == expected
        disk.write_error = None
        assert contents(running.engine["default"]) == {b"old": b"1"}
        for each in made:
            each.sendall(request(b"SET", b"old", b"2"))
        assert sorted(exactly(each, 5)[:3] for each in made).count(b"$3\r") == 1


def test_an_error_that_nobody_expects_ends_those_whom_it_concerns_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"

    def fails(*_: object) -> None:
        raise MemoryError

    with (
        serving(tmp_path, server={"socket": path}, durability=Durability.parse("relaxed")) as running,
        clients(path, 3) as (one, two, other),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Namespace, "stage_run", fails)
            with one_turn(running):
                for each in (one, two):
                    each.sendall(request(b"SET", b"k", b"v"))
            assert everything(one) == everything(two) == b""
        other.sendall(request(b"SET", b"k", b"v"))
        assert exactly(other, 7) == bulk(b"k")


@pytest.mark.parametrize("durability", ["every", "group"])
def test_nobody_waits_for_a_sync_but_who_has_written(tmp_path: Path, durability: str) -> None:
    """Others read, also what is being synced; answers of one connection stay in order."""
    disk = FailingDisk()
    options = {"durability": Durability.parse(durability), "disk": disk}
    with serving(tmp_path, **options) as running:
        running.engine["default"].set(b"old", b"1")
        with waiting(disk) as go, raw(running.port) as writer, raw(running.port) as reader:
            writer.sendall(request(b"SET", b"k", b"v") + request(b"GET", b"k") + request(b"PING"))
            reader.sendall(request(b"PING") + request(b"GET", b"old"))
            assert exactly(reader, 14) == b"+PONG\r\n" + bulk(b"1")
            while running.engine["default"].get(b"k") is None:  # until it is written
                reader.sendall(request(b"PING"))
                exactly(reader, 7)
            writer.setblocking(False)
            with pytest.raises(BlockingIOError):
                writer.recv(1)
            writer.settimeout(LIMIT)
            go.set()
            assert exactly(writer, 21) == bulk(b"k") + bulk(b"v") + b"+PONG\r\n"


def test_every_write_has_a_sync_of_its_own_whoever_else_writes(tmp_path: Path) -> None:
    """Over one connection and over many."""
    disk, path = FailingDisk(), tmp_path / "s"
    options = {"durability": Durability.parse("every"), "disk": disk}
    with serving(tmp_path, server={"socket": path}, **options) as running, clients(path, CLIENTS) as made:
        before = disk.syncs
        with one_turn(running):
            for i, each in enumerate(made):
                each.sendall(request(b"SET", b"k%d" % i, b"v") + request(b"SET", b"l%d" % i, b"v"))
        for i, each in enumerate(made):
            assert exactly(each, 16) == bulk(b"k%d" % i) + bulk(b"l%d" % i)
        assert disk.syncs - before >= 2 * CLIENTS


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_what_was_asked_before_an_error_is_answered_before_it(tmp_path: Path, durability: str) -> None:
    """Though the connection ends then."""
    with (
        serving(tmp_path, durability=Durability.parse(durability)) as running,
        raw(running.port) as connection,
    ):
        connection.sendall(request(b"SET", b"k", b"v") + b"nonsense\r\n")
        assert everything(connection) == bulk(b"k") + b"-Malformed request, array expected\r\n"


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_a_client_that_says_no_more_gets_all_answers(tmp_path: Path, durability: str) -> None:
    """Also those that wait for a sync when it has ended its side."""
    with (
        serving(tmp_path, durability=Durability.parse(durability)) as running,
        raw(running.port) as connection,
    ):
        connection.sendall(b"".join(request(b"SET", b"k%d" % i, b"v") for i in range(5)))
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b"".join(bulk(b"k%d" % i) for i in range(5))


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_large_answers_behind_a_write_come_whole_and_in_order(tmp_path: Path, durability: str) -> None:
    """More than the server holds back at a time."""
    large = bytes(range(256)) * 3000
    with (
        serving(tmp_path, durability=Durability.parse(durability)) as running,
        raw(running.port) as connection,
    ):
        running.engine["default"].set(b"large", large)
        got = request(b"GET", b"large") * 3
        connection.sendall((request(b"SET", b"k", b"v") + got + request(b"DEL", b"k") + got) * 2)
        expected = (bulk(b"k") + bulk(large) * 3 + b"+OK\r\n" + bulk(large) * 3) * 2
        assert exactly(connection, len(expected)) == expected


def test_what_stands_already_is_acknowledged_when_it_survives(tmp_path: Path) -> None:
    """Not when somebody else has just written it: that may be lost with the power."""
    disk = FailingDisk()
    with (
        serving(tmp_path, durability=Durability.parse("group"), disk=disk) as running,
        waiting(disk) as go,
        raw(running.port) as one,
        raw(running.port) as other,
    ):
        one.sendall(request(b"SET", b"k", b"v"))
        while running.engine["default"].get(b"k") is None:
            other.sendall(request(b"PING"))
            exactly(other, 7)
        other.sendall(request(b"SET", b"k", b"v"))
        one.sendall(request(b"PING"))
        third = running.client()
        assert third("GET", "k") == b"v"
        third.close()
        for each in (one, other):
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                each.recv(1)
            each.settimeout(LIMIT)
        go.set()
        assert exactly(one, 14) == bulk(b"k") + b"+PONG\r\n"
        assert exactly(other, 5) == b"$-1\r\n"


def test_a_large_payload_that_is_read_again_is_what_was_written_last(tmp_path: Path) -> None:
    """By whomever it is written."""
    with (
        serving(tmp_path, durability=Durability.parse("relaxed")) as running,
        raw(running.port) as connection,
    ):
        keys = [b"k%d" % i for i in range(6)]
        for turn in range(3):
            for key in keys:
                running.engine["default"].set(key, key * 100_000 + b"%d" % turn)
            for _ in range(4):
                for key in keys[: 2 + 2 * turn]:
                    connection.sendall(request(b"GET", key))
                    expected = bulk(key * 100_000 + b"%d" % turn)
                    assert exactly(connection, len(expected)) == expected
        running.engine["default"].delete(keys[0])
        connection.sendall(request(b"GET", keys[0]))
        assert exactly(connection, 5) == b"$-1\r\n"


def test_what_was_written_is_not_acknowledged_early_because_what_came_after_it_was_refused(
    tmp_path: Path,
) -> None:
    """It waits for its sync, as if it had come alone."""

    class Choosy(FailingDisk):
        def write(self, fd: int, parts: object, size: int, at: int) -> None:
            if b"no room" in b"".join(parts):
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(fd, parts, size, at)

    disk = Choosy()
    with (
        serving(tmp_path, durability=Durability.parse("group"), disk=disk) as running,
        waiting(disk) as go,
        raw(running.port) as writer,
        raw(running.port) as other,
    ):
        writer.sendall(
            request(b"SET", b"a", b"v") + request(b"GET", b"a") + request(b"SET", b"b", b"no room")
        )
        while running.engine["default"].get(b"a") is None:
            other.sendall(request(b"PING"))
            exactly(other, 7)
        for _ in range(2):  # turns that come after it
            other.sendall(request(b"PING"))
            exactly(other, 7)
        writer.setblocking(False)
        with pytest.raises(BlockingIOError):
            writer.recv(1)
        writer.settimeout(LIMIT)
        go.set()
        expected = bulk(b"a") + bulk(b"v") + CANNOT
        assert exactly(writer, len(expected)) == expected


def test_a_client_that_goes_to_another_namespace_is_told_of_its_writes_when_they_survive(
    tmp_path: Path,
) -> None:
    """Whichever of the two has more records, and though all is asked for at once."""
    with serving(tmp_path, durability=Durability.parse("group")) as running:
        engine = running.engine
        for name in ("few", "many"):
            engine.create(name)
        for i in range(5):
            engine["many"].set(b"%d" % i, b"v")
        with raw(running.port) as connection:
            words = b"+OK\r\n" + bulk(b"k")
            for here, there in (("few", "many"), ("many", "few")):
                connection.sendall(
                    request(b"SELECT", here.encode())
                    + request(b"SET", b"k", b"v")
                    + request(b"SELECT", there.encode())
                )
                assert exactly(connection, len(words) + 5) == words + b"+OK\r\n"
                assert engine[here].unsynced[0] == 0
                engine[here].delete(b"k")
