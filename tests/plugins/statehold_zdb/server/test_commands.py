"""Every command of the original, with its answers and the texts of its errors, through redis-py."""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from zdb_engines import FailingDisk, contents
from zdb_servers import Running, Talk, everything, exactly, raw, serving

from statehold_zdb.engine import MAX_PAYLOAD, Durability

FROZEN = "-Namespace is temporarily frozen (read-write disabled)"
LOCKED = "-Namespace is temporarily locked (read-only)"
READ_ONLY = "-Namespace is in read-only mode"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("zdb")
    with serving(
        folder, durability=Durability.parse("relaxed"), server={"admin_password": b"root", "stoppable": False}
    ) as found:
        yield found


@pytest.fixture
def talk(running: Running) -> Iterator[Talk]:
    """An administrator in a namespace of its own."""
    found = running.client()
    assert found("AUTH", "root") == b"OK"
    name = f"ns{time.time_ns()}"
    assert found("NSNEW", name) == b"OK"
    assert found("SELECT", name) == b"OK"
    found.name = name
    yield found
    found.close()


@pytest.fixture
def other(running: Running) -> Iterator[Talk]:
    """Somebody else, who is no administrator."""
    found = running.client()
    yield found
    found.close()


@pytest.fixture
def seq(talk: Talk) -> Talk:
    assert talk("NSSET", talk.name, "mode", "seq") == b"OK"
    return talk


def test_ping_time_and_what_is_unknown(talk: Talk) -> None:
    """What any server answers, and the beginnings of words that stand for whole ones."""
    assert talk("PING") == b"PONG"
    assert talk("ping") == b"PONG"
    assert talk("PIN") == b"PONG"
    seconds, micros = talk("TIME")
    assert abs(int(seconds) - time.time()) < 3600
    assert 0 <= int(micros) < 1_000_000
    assert talk("NOSUCH") == "-Command not supported"
    assert talk("*") == "-This is not a valid command"
    assert talk("M") == b"Starting mirroring"
    assert talk("MASTER") == b"Hello, master"
    assert talk("STOP") == "-Unauthorized"


def test_set_get_and_their_kin_of_user_keys(talk: Talk) -> None:
    """SET answers the key, and nil where the same stands there."""
    assert talk("SET", "k", "v1") == b"k"
    assert talk("SET", "k", "v1") is None
    assert talk("S", "k", "v2") == b"k"
    assert talk("SETX", "k", "v3") == b"k"
    assert talk("SET", "stamped", "v", 1234567890) == b"stamped"
    assert (talk("GET", "k"), talk("GE", "k"), talk("GET", "no")) == (b"v3", b"v3", None)
    assert talk("MGET", "k", "no", "k") == [b"v3", None, b"v3"]
    assert (talk("EXISTS", "k"), talk("EXISTS", "no")) == (1, 0)
    assert (talk("CHECK", "k"), talk("CHECK", "no")) == (1, None)
    assert (talk("LENGTH", "k"), talk("LENGTH", "no")) == (2, None)
    assert (talk("KEYTIME", "stamped"), talk("KEYTIME", "no")) == (1234567890, None)
    assert talk("DBSIZE") == 2
    assert (talk("DEL", "k"), talk("DEL", "k"), talk("DEL", "no")) == (
        b"OK",
        "-Key not found",
        "-Key not found",
    )
    assert talk("SET", "k", "") == b"k"
    assert talk("GET", "k") == b""


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["GET"], "-Unexpected arguments"),
        (["GET", "a", "b"], "-Unexpected arguments"),
        (["GET", ""], "-Invalid argument"),
        (["GET", "k" * 256], "-Invalid key"),
        (["SET", "k"], "-Unexpected arguments"),
        (["SET", "k" * 256, "v"], "-Key too large"),
        (["SET", "", "v"], "-Invalid argument, key needed"),
        (["MGET"], "-Invalid arguments"),
        (["MGET", "k" * 256], "-Invalid key"),
        (["EXISTS", "k" * 256], "-Invalid key"),
        (["CHECK"], "-Unexpected arguments"),
        (["CHECK", "k" * 256], "-Invalid key"),
        (["DEL"], "-Unexpected arguments"),
        (["DEL", "k" * 256], "-Invalid key"),
        (["DEL", "a", "1", "b"], "-Unexpected arguments"),
        (["DEL", "a", "1" * 5000], "-Invalid argument"),
        (["SET", "a", "v", "1" * 5000], "-Invalid argument"),
        (["SET", "a", "v", 2**32], "-Invalid argument"),
        (["SCAN"], "-No more data"),
        (["RSCAN"], "-No more data"),
        (["SCAN", "short"], "-Invalid key format"),
        (["SCAN", "x" * 17], "-Invalid key format"),
        (["KSCAN", "nothing"], "-No keys match"),
        (["KEYCUR", "no"], "-Key not found"),
        (["HISTORY"], "-Invalid arguments"),
        (["HISTORY", "no"], "-Key not found"),
        (["HISTORY", "no", "short"], "-Invalid arguments"),
        (["HISTORY", "no", bytes(8)], "-No more history"),
        (["HISTORY", "no", b"\xff" * 8], "-Invalid arguments (index query)"),
        (["NSNEW"], "-Unexpected arguments"),
        (["NSNEW", "a/b"], "-This name is not allowed"),
        (["NSNEW", "."], "-This name is not allowed"),
        (["NSNEW", ".."], "-This name is not allowed"),
        (["NSNEW", "default"], "-This name is not allowed"),
        (["NSNEW", b"\xff"], "-This name is not allowed"),
        (["NSNEW", "n" * 129], "-Namespace too long"),
        (["NSDEL", "default"], "-Cannot remove default namespace"),
        (["NSDEL", "nosuch"], "-This namespace doesn't exists"),
        (["NSINFO", "nosuch"], "-Namespace not found"),
        (["NSSET", "nosuch", "maxsize", "1"], "-Namespace not found"),
        (["NSSET", "default", "maxsize", "1"], "-Cannot update default namespace"),
        (["NSSET", "nosuch", "maxsize", "1" * 64], "-Invalid value"),
        (["NSSET", "nosuch", "maxsize", "1" * 200], "-Argument too long"),
        (["SELECT"], "-Invalid argument"),
        (["SELECT", "nosuch"], "-Namespace not found"),
        (["SELECT", "a", "b", "c", "d"], "-Too many arguments"),
        (["RELOAD", "nosuch"], "-Namespace not found"),
        (["FLUSH"], "-Flushing public namespace denied"),
        (["INDEX", "WHAT"], "-Unknown INDEX subcommand"),
        (["INDEX", "DIRTY", "WHAT"], "-Unknown INDEX DIRTY subcommand"),
        (["DATA", "WHAT"], "-Unknown DATA subcommand"),
        (["DATA", "RAW", "x", "0"], "-Invalid Request"),
        (["DATA", "RAW", "1" * 5000, "0"], "-Invalid Request"),
        (["DATA", "RAW", "77", "64"], "-EOF"),
        (["WAIT"], "-Invalid arguments"),
        (["WAIT", "NOSUCH"], "-Unknown command to watch"),
        (["WAIT", "SET", "99"], "-Invalid timeout"),
        (["WAIT", "SET", "1800001"], "-Invalid timeout"),
        (["WAIT", "SET", "100"], "-Timeout"),
        (["AUTH"], "-Unexpected arguments"),
        (["AUTH", "x" * 129], "-Password too long"),
        (["AUTH", "wrong"], "-Access denied"),
        (["AUTH", "WHAT", "x"], "-Only SECURE extra method supported"),
        (["AUTH", "SECURE", "0" * 40], "-No CHALLENGE requested, secure authentication not available"),
    ],
)
def test_the_texts_of_errors(talk: Talk, words: list[object], answer: str) -> None:
    """Clients compare them."""
    assert talk(*words) == answer
    assert talk("PING") == b"PONG"


@pytest.mark.parametrize(
    "words",
    [
        ["NSNEW", "x"],
        ["NSDEL", "x"],
        ["NSSET", "x", "worm", "1"],
        ["NSJUMP"],
        ["RELOAD", "default"],
        ["INDEX", "DIRTY"],
        ["DATA", "RAW", "0", "64"],
        ["HOOKS"],
        ["MIRROR"],
        ["MASTER"],
        ["COMPACT"],
        ["SET", "k", "v", "1"],
        ["DEL", "k", "1"],
    ],
)
def test_what_only_administrators_may(other: Talk, words: list[str]) -> None:
    """Others are refused."""
    assert other(*words) == "-Permission denied"


def test_sequential_keys(seq: Talk) -> None:
    """An empty key makes a new one; others can only be updated."""
    ids = [seq("SET", "", f"v{i}") for i in range(3)]
    assert ids == [i.to_bytes(8, "little") for i in range(3)]
    assert seq("SET", ids[1], "anew") == ids[1]
    assert seq("SET", ids[1], "anew") is None
    assert seq("SET", (9).to_bytes(8, "little"), "x") == "-Invalid key, only update authorized"
    assert seq("SET", "short", "x") == "-Invalid key, only update authorized"
    assert seq("GET", ids[1]) == b"anew"
    assert seq("SET", "", "next") == (3).to_bytes(8, "little")
    assert seq("DEL", ids[0]) == b"OK"
    assert seq("SET", ids[0], "x") == "-Invalid key, only update authorized"
    assert seq("KSCAN", "x") == "-Index running mode doesn't support this feature"
    assert b"mode: sequential" in seq("NSINFO", seq.name)
    assert b"next_internal_id: 0x04000000" in seq("NSINFO", seq.name)
    assert seq("NSSET", seq.name, "mode", "user") == "-Cannot change mode of used namespace"


def test_binary_keys_and_payloads_up_to_the_limits(talk: Talk) -> None:
    """Any byte, and every size at which the way in changes."""
    for size in (1, 2, 254, 255):
        key = bytes(i % 256 for i in range(size))
        assert talk("SET", key, key[::-1]) == key
        assert talk("GET", key) == key[::-1]
    noise = bytes(range(256)) * 33
    for size in (4096, 16_383, 16_385, 32_767, 32_768, 100_000, 1_000_001, MAX_PAYLOAD):
        payload = (noise * (size // len(noise) + 1))[:size]
        assert talk("SET", "big", payload) == b"big"
        assert talk("GET", "big") == payload
        assert talk("LENGTH", "big") == size
    talk("SET", "line\r\nend", "\r\n$5\r\n*3\r\n")
    assert talk("GET", "line\r\nend") == b"\r\n$5\r\n*3\r\n"


def test_scans_forward_and_backward_with_cursors(talk: Talk) -> None:
    """In the order of the last writes; cursors survive updates and deletions."""
    for i in range(2500):
        talk.send("SET", f"k{i}", "v" * (i % 5), 1000 + i)
    for _ in range(2500):
        talk.read()
    cursor, rows = talk("SCAN")
    assert len(cursor) == 17
    assert rows[:2] == [[b"k0", 0, 1000], [b"k1", 1, 1001]]
    last = rows[-1][0]
    talk("SET", "k1", "moved to the end")
    talk("DEL", last)
    found = [row[0] for row in rows]
    while True:
        page = talk("SCANX", cursor)
        if page == "-No more data":
            break
        cursor, rows = page
        found += [row[0] for row in rows]
    assert found == [f"k{i}".encode() for i in range(2500)] + [b"k1"]
    cursor, rows = talk("RSCAN")
    assert [row[0] for row in rows][:2] == [b"k1", b"k2499"]
    page = talk("RSCAN", talk("KEYCUR", "k10"))
    assert [row[0] for row in page[1]] == [f"k{i}".encode() for i in range(9, 1, -1)] + [b"k0"]
    assert talk("KSCAN", "k249")[0] == b"0"
    assert sorted(talk("KSCAN", "k249")[1]) == sorted(
        [b"k249"] + [f"k249{i}".encode() for i in range(10) if f"k249{i}".encode() != last]
    )


def test_history_leads_back_to_the_first_version(talk: Talk) -> None:
    """Each answer has what leads to the one before it; a deletion ends it."""
    for i in range(4):
        talk("SET", "k", f"v{i}", 100 + i)
    talk("SET", "another", "x")
    before, stamp, payload = talk("HISTORY", "k")
    seen = [(stamp, payload)]
    while before is not None:
        assert talk("HISTORY", "another", before) == "-Invalid arguments (invalid key)"
        before, stamp, payload = talk("HISTORY", "k", before)
        seen.append((stamp, payload))
    assert seen == [(b"%d" % (100 + i), b"v%d" % i) for i in (3, 2, 1, 0)]
    talk("DEL", "k")
    assert talk("HISTORY", "k") == "-Key not found"
    talk("SET", "k", "again")
    assert talk("HISTORY", "k")[0] is None


def test_raw_records_and_jumps(talk: Talk) -> None:
    """DATA RAW shows what stands in a file; NSJUMP begins the next one."""
    talk("SET", "k", "payload", 77)
    key, before, crc, flags, stamp, payload = talk("DATA", "RAW", 0, 64)
    assert (key, before, flags, stamp, payload) == (b"k", 0, 0, 77, b"payload")
    assert crc.startswith(b"0x")
    assert talk("NSJUMP") == b"OK"
    talk("SET", "k2", "v")
    assert b"data_current_id: 1" in talk("NSINFO", talk.name)
    assert talk("INDEX", "DIRTY") == []
    talk("DEL", "k")
    assert talk("COMPACT") > 0
    assert talk("GET", "k2") == b"v"
    assert talk("INDEX", "DIRTY", "RESET") == b"OK"


def test_properties_of_namespaces(talk: Talk, other: Talk) -> None:
    """Password, public, maxsize, worm, lock and freeze, for those who are there already, too."""
    name = talk.name
    talk("SET", "k", "v")
    assert talk("NSSET", name, "nosuch", "1") == "-Invalid property"
    assert talk("NSSET", name, "mode", "what") == "-Invalid property value (expected: user, seq)"
    assert talk("NSNEW", name) == "-This namespace is not available"

    assert talk("NSSET", name, "maxsize", "10") == b"OK"
    assert talk("SET", "big", "x" * 10) == "-No space left on this namespace"
    assert talk("SET", "k", "x" * 10) == b"k"
    assert b"space_available: 0" in talk("NSINFO", name)
    assert talk("NSSET", name, "maxsize", "0") == b"OK"

    assert talk("NSSET", name, "worm", "1") == b"OK"
    assert talk("SET", "k", "other") == "-Namespace is protected by worm mode"
    assert talk("DEL", "k") == "-Cannot delete a key when namespace is in worm mode"
    assert talk("SET", "new", "v") == b"new"
    assert talk("NSSET", name, "worm", "0") == b"OK"

    assert talk("NSSET", name, "lock", "1") == b"OK"
    assert (talk("SET", "k", "v"), talk("DEL", "k"), talk("GET", "new")) == (LOCKED, LOCKED, b"v")
    assert talk("NSSET", name, "lock", "0") == b"OK"
    assert talk("NSSET", name, "freeze", "1") == b"OK"
    for words in (
        ["SET", "k", "v"],
        ["DEL", "k"],
        ["GET", "k"],
        ["EXISTS", "k"],
        ["HISTORY", "k"],
        ["CHECK", "k"],
    ):
        assert talk(*words) == FROZEN
    assert talk("DBSIZE") == 2
    assert talk("NSSET", name, "freeze", "0") == b"OK"

    assert talk("NSSET", name, "password", "hunter2") == b"OK"
    assert other("SELECT", name) == b"OK"
    assert other("SET", "k", "v") == READ_ONLY
    assert (other("DEL", "k"), other("GET", "new")) == (READ_ONLY, b"v")
    assert talk("NSSET", name, "public", "0") == b"OK"
    assert other("SELECT", name) == "-Namespace protected and private"
    assert other("SELECT", name, "wrong") == "-Access denied"
    assert other("SELECT", name, "p" * 256) == "-Password too long"
    assert other("SELECT", name, "hunter2") == b"OK"
    assert other("SET", "k", "v") == b"k"
    assert talk("NSSET", name, "password", "*") == b"OK"
    assert other("SELECT", name) == b"OK"


def test_flush_removes_everything_of_a_private_namespace(talk: Talk) -> None:
    """And only of such a one."""
    talk("SET", "k", "v")
    talk("NSSET", talk.name, "password", "x")
    assert talk("FLUSH") == "-Flushing public namespace denied"
    talk("NSSET", talk.name, "public", "0")
    assert talk("FLUSH") == b"OK"
    assert (talk("DBSIZE"), talk("GET", "k"), talk("SCAN")) == (0, None, "-No more data")
    assert talk("SET", "k", "again") == b"k"


def test_a_deleted_namespace_ends_the_connections_of_those_who_used_it(talk: Talk, running: Running) -> None:
    """They are told so at their next command."""
    with raw(running.port) as other:
        name = talk.name.encode()
        other.sendall(b"*2\r\n$6\r\nSELECT\r\n$%d\r\n%b\r\n" % (len(name), name))
        assert exactly(other, 5) == b"+OK\r\n"
        assert talk("NSDEL", talk.name) == "-Cannot remove namespace you're currently using."
        assert talk("SELECT", "default") == b"OK"
        assert talk("NSDEL", talk.name) == b"OK"
        assert name not in talk("NSLIST")
        other.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 2)
        gone = b"-Your active namespace is not available anymore (probably removed).\r\n"
        assert everything(other) == gone


def test_secure_passwords(running: Running, talk: Talk, other: Talk) -> None:
    """Of administrators and of namespaces; a challenge is answered once."""

    def answer(password: str) -> str:
        nonce = other("AUTH", "SECURE", "CHALLENGE")
        assert len(nonce) == 16
        return hashlib.sha1(nonce + b":" + password.encode()).hexdigest()

    talk("NSSET", talk.name, "password", "hunter2")
    talk("NSSET", talk.name, "public", "0")
    none = "-No CHALLENGE requested, secure authentication not available"
    assert other("SELECT", talk.name, "SECURE", "0" * 40) == none
    good = answer("hunter2")
    assert other("SELECT", talk.name, "SECURE", good) == b"OK"
    assert other("SELECT", talk.name, "SECURE", good) == none
    assert other("SELECT", talk.name, "SECURE", answer("wrong")) == "-Access denied"
    answer("x")
    assert other("SELECT", talk.name, "SECURE", "short") == "-Invalid hash length"
    assert other("SELECT", talk.name, "WHAT", good) == "-Only SECURE extra method supported"
    assert other("AUTH", "SECURE", answer("wrong")) == "-Access denied"
    assert other("NSNEW", "x") == "-Permission denied"
    good = answer("root")
    assert other("AUTH", "SECURE", good) == b"OK"
    assert other("AUTH", "SECURE", good) == none
    assert other("INDEX", "DIRTY") == []


def test_wait_is_told_of_another_clients_command(talk: Talk, running: Running) -> None:
    """On the same namespace; `*` is any command."""
    watcher, elsewhere = running.client(), running.client()
    watcher("SELECT", talk.name)
    for watched, words in (("SET", ["SET", "k", "v"]), ("*", ["GET", "k"])):
        watcher.send("WAIT", watched, 60_000)
        elsewhere("SET", "k", watched)
        while not running.server.watchers:
            time.sleep(0.01)
        talk("PING") if watched == "SET" else None
        talk(*words)
        assert watcher.read() == words[0].encode()
    watcher.close()
    elsewhere.close()


def test_a_mirror_gets_what_others_write(talk: Talk, running: Running) -> None:
    """Requests as they were made, of its namespace."""
    mirror = running.client()
    mirror("AUTH", "root")
    mirror("SELECT", talk.name)
    assert mirror("MIRROR") == b"Starting mirroring"
    talk("SET", "k", "v")
    talk("GET", "k")
    talk("DEL", "k")
    assert [mirror.read(), mirror.read()] == [[b"SET", b"k", b"v"], [b"DEL", b"k"]]
    mirror.close()


def test_a_mirror_is_not_told_of_what_the_disk_refuses(tmp_path: Path) -> None:
    disk = FailingDisk()
    with serving(tmp_path, durability=Durability.parse("relaxed"), disk=disk) as running:
        mirror, talk = running.client(), running.client()
        assert mirror("MIRROR") == b"Starting mirroring"
        assert talk("SET", "a", "1") == b"a"
        disk.write_error = errno.ENOSPC
        assert talk("SET", "b", "2") == "-Cannot write data right now"
        assert talk("DEL", "a") == "-Cannot write data right now"
        disk.write_error = None
        assert talk("SET", "c", "3") == b"c"
        assert [mirror.read(), mirror.read()] == [[b"SET", b"a", b"1"], [b"SET", b"c", b"3"]]
        assert contents(running.engine["default"]) == {b"a": b"1", b"c": b"3"}
        mirror.close()
        talk.close()


def test_info_tells_the_truth_about_durability(talk: Talk) -> None:
    """What may be lost now, and that nothing is after SYNC."""
    assert talk("NSSET", talk.name, "durability", "relaxed:3600") == b"OK"
    talk("SET", "k", "v")
    text = talk("NSINFO", talk.name)
    assert b"durability: relaxed:3600\n" in text
    assert b"unsynced_records: 1\n" in text
    assert f"{talk.name}: mode=relaxed:3600 unsynced_records=1".encode() in talk("INFO")
    assert talk("SYNC") == b"OK"
    assert b"unsynced_records: 0\n" in talk("NSINFO", talk.name)
    for durability in ("every", "group"):
        assert talk("NSSET", talk.name, "durability", durability) == b"OK"
        talk("SET", "k", durability)
        assert b"unsynced_records: 0\n" in talk("NSINFO", talk.name)
    wrong = "-Invalid property value (expected: every, group, relaxed, relaxed:SECONDS)"
    assert talk("NSSET", talk.name, "durability", "never") == wrong


def test_info_has_what_clients_look_for(talk: Talk) -> None:
    """Sections and names of the original."""
    text = talk("INFO")
    for part in (b"# server\n", b"# clients\n", b"# internals\n", b"# stats\n", b"sequential_key_size: 8\n"):
        assert part in text
    lines = talk("NSINFO", talk.name).decode().splitlines()
    names = [line.split(":")[0] for line in lines if ": " in line]
    expected = (
        "name entries public worm locked password data_size_bytes data_size_mb data_limits_bytes "
        "index_size_bytes index_size_kb next_internal_id mode stats_index_io_errors "
        "stats_index_io_error_last "
        "stats_index_faults stats_data_io_errors stats_data_io_error_last stats_data_faults "
        "index_disk_freespace_bytes index_disk_freespace_mb data_disk_freespace_bytes "
        "data_disk_freespace_mb "
        "data_path data_active index_path index_active data_current_id data_current_offset"
    )
    assert set(expected.split()) <= set(names)


def test_reload_takes_the_files_as_they_are(talk: Talk) -> None:
    """Everything is there afterwards, and is written on."""
    talk("SET", "k", "v")
    assert talk("RELOAD", talk.name) == b"OK"
    assert talk("GET", "k") == b"v"
    assert talk("SET", "k2", "v") == b"k2"
    assert talk("HOOKS") == []
