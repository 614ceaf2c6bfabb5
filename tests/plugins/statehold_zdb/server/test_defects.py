"""What goes wrong in the original, one by one, and does not here; as clients of the server see it."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from zdb_engines import data_file, index_file
from zdb_servers import Talk, clients, raw, serving

from statehold_zdb.engine import Durability, Namespace, ZdbError, hookimpl
from statehold_zdb.server import Executable

RELAXED = Durability.parse("relaxed")


def filled(folder: Path, count: int = 30) -> dict[bytes, bytes]:
    rows = {b"key%02d" % i: b"payload %02d" % i * 20 for i in range(count)}
    with serving(folder, durability=RELAXED) as running:
        talk = running.client()
        for key, payload in rows.items():
            assert talk("SET", key, payload) == key
        talk.close()
    return rows


def test_1_a_flipped_byte_is_an_error_not_a_value(tmp_path: Path) -> None:
    """GET says that it cannot read, CHECK says 0."""
    rows = filled(tmp_path)
    data = bytearray(data_file(tmp_path).read_bytes())
    data[data.index(b"payload 07") + 2] ^= 0x20
    data_file(tmp_path).write_bytes(data)
    with serving(tmp_path, durability=RELAXED) as running:
        talk = running.client()
        assert talk("GET", "key07") == "-Internal Error (cannot read)"
        assert talk("CHECK", "key07") == 0
        assert talk("MGET", "key06", "key08") == [rows[b"key06"], rows[b"key08"]]
        talk.close()


def test_2_a_cut_index_loses_nothing_now_or_later(tmp_path: Path) -> None:
    """By any number of bytes; what is acknowledged after it is there at the next start."""
    rows = filled(tmp_path)
    for cut in range(1, 34, 8):
        os.truncate(index_file(tmp_path), index_file(tmp_path).stat().st_size - cut)
        with serving(tmp_path, durability=RELAXED) as running:
            talk = running.client()
            for key in (b"more%d" % cut, b"and%d" % cut):
                assert talk("SET", key, "x") == key
                rows[key] = b"x"
            assert talk("MGET", *rows) == list(rows.values())
            talk.close()


def test_3_data_that_were_cut_give_no_other_keys_bytes(tmp_path: Path) -> None:
    """Not at once, and not after more was written."""
    rows = filled(tmp_path)
    os.truncate(data_file(tmp_path), data_file(tmp_path).stat().st_size - 1000)
    with serving(tmp_path, durability=RELAXED) as running:
        talk = running.client()
        for i in range(10):
            assert talk("SET", f"new{i}", "n" * 190) is not None
        for key, payload in rows.items():
            assert talk("GET", key) in (payload, None, "-Internal Error (cannot read)")
        assert talk("DBSIZE") >= 35
        talk.close()


def test_4_zeros_at_the_end_are_no_values(tmp_path: Path) -> None:
    """The shape of a loss of power."""
    rows = filled(tmp_path, 99)
    size = data_file(tmp_path).stat().st_size
    os.truncate(data_file(tmp_path), size - 8192)
    os.truncate(data_file(tmp_path), size)
    with serving(tmp_path, durability=RELAXED) as running:
        talk = running.client()
        for key, payload in rows.items():
            assert talk("GET", key) in (payload, None, "-Internal Error (cannot read)")
        talk.close()


def test_6_flush_really_removes_and_respects_worm_and_lock(tmp_path: Path) -> None:
    """It answers OK only where it has."""
    with serving(tmp_path, durability=RELAXED) as running:
        talk = running.client()
        talk("NSNEW", "n")
        talk("SELECT", "n")
        talk("SET", "k", "v" * 5000)
        talk("NSSET", "n", "password", "x")
        talk("NSSET", "n", "public", "0")
        talk("NSSET", "n", "worm", "1")
        assert talk("FLUSH") == "-Namespace is protected by worm mode"
        talk("NSSET", "n", "worm", "0")
        talk("NSSET", "n", "lock", "1")
        assert talk("FLUSH") == "-Namespace is temporarily locked (read-only)"
        assert talk("GET", "k") == b"v" * 5000
        talk("NSSET", "n", "lock", "0")
        assert talk("FLUSH") == b"OK"
        assert (talk("GET", "k"), talk("DBSIZE")) == (None, 0)
        talk.close()
    assert sum(path.stat().st_size for path in (tmp_path / "data" / "n").iterdir()) == 64
    with serving(tmp_path) as running:
        talk = running.client()
        talk("SELECT", "n", "x")
        assert talk("DBSIZE") == 0
        talk.close()


def test_7_secure_answers_cannot_be_replayed_and_passwords_are_whole_and_hidden(tmp_path: Path) -> None:
    """A challenge is answered once, NUL and what follows counts, and no file has a password in clear."""
    with serving(tmp_path, durability=RELAXED) as running:
        talk = running.client()
        talk("NSNEW", "n")
        talk("NSSET", "n", "password", "hunter2")
        talk("NSSET", "n", "public", "0")
        nonce = talk("AUTH", "SECURE", "CHALLENGE")
        answer = hashlib.sha1(nonce + b":hunter2").hexdigest()
        assert talk("SELECT", "n", "SECURE", answer) == b"OK"
        assert str(talk("SELECT", "n", "SECURE", answer)).startswith("-No CHALLENGE requested")
        assert talk("SELECT", "n", "hunter2\0junk") == "-Access denied"
        talk.close()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()


def test_8_answers_of_a_pipeline_are_sent_together(tmp_path: Path) -> None:
    """Without Nagle's delay, and not one by one."""
    import socket

    with serving(tmp_path, durability=RELAXED) as running, raw(running.port) as connection:
        request = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 100
        connection.sendall(request)
        data = b""
        while len(data) < 500:
            data += connection.recv(65536)
        assert data == b"$-1\r\n" * 100
        (transport,) = [each._transport for each in running.server.connections]
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_9_a_namespace_goes_at_the_cost_of_its_own_keys(tmp_path: Path) -> None:
    """Others keep theirs, and are not walked over: the index of each is its own."""
    with serving(tmp_path, durability=RELAXED) as running:
        talk = running.client()
        talk("SET", "k", "v")
        talk("NSNEW", "n")
        others = running.engine["default"]._keys
        assert talk("NSDEL", "n") == b"OK"
        assert running.engine["default"]._keys is others
        assert talk("GET", "k") == b"v"
        talk.close()
    assert not list((tmp_path / "data").glob("n*"))
    assert not list((tmp_path / "data").glob(".deleted*"))


def test_lock_and_freeze_survive_a_restart(tmp_path: Path) -> None:
    """They are kept with the other settings."""
    with serving(tmp_path) as running:
        talk = running.client()
        talk("NSNEW", "n")
        talk("NSSET", "n", "lock", "1")
        talk.close()
    with serving(tmp_path) as running:
        talk = running.client()
        talk("SELECT", "n")
        assert talk("SET", "k", "v") == "-Namespace is temporarily locked (read-only)"
        talk.close()


def test_a_server_that_cannot_have_its_port_leaves_the_socket_of_another_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(tmp_path / "1", server={"socket": path}) as running:
        taken = {"addresses": (("127.0.0.1", running.port),), "socket": path}
        with pytest.raises(ZdbError, match="cannot listen"), serving(tmp_path / "2", server=taken):
            pass
        with clients(path, 1):
            pass
    assert not path.exists()


def test_files_take_no_more_than_their_records(tmp_path: Path) -> None:
    """Twenty empty namespaces are not 5 GB."""
    with serving(tmp_path) as running:
        talk = running.client()
        for i in range(20):
            talk("NSNEW", f"n{i}")
        talk.close()
    assert sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*")) < 2_000_000


def script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_segment_that_a_program_brings_holds_up_only_who_reads_it(tmp_path: Path) -> None:
    """Another client is answered at once while it runs; the first one's later requests wait their turn."""
    store, go = tmp_path / "store", tmp_path / "go"
    store.mkdir()
    hook = script(
        tmp_path / "hook",
        f"""
        echo "$@" >> {tmp_path}/calls
        case $1 in
            jump-data) cp $3 {store}/part; mv {store}/part {store}/$(basename $3) ;;
            missing-data) while [ ! -e {go} ]; do sleep 0.01; done
                cp {store}/$(basename $3) $3.part; mv $3.part $3 ;;
        esac
        """,
    )
    executable = Executable(hook, "tcp://127.0.0.1:0")
    with serving(tmp_path / "zdb", executable, durability=RELAXED, fetch_limit=60) as running:
        waiting, other = running.client(), running.client()
        waiting("SET", "away", "1")
        waiting("NSJUMP")
        waiting("SET", "here", "2")
        end = time.monotonic() + 60
        while not (store / "d0").exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert running.engine["default"].evict(0)
        running.server.hot.clear()
        waiting.send("GET", "away")
        waiting.send("GET", "here")
        for _ in range(20):
            assert other("GET", "here") == b"2"
            assert other("PING") == b"PONG"
        go.touch()
        assert [waiting.read(), waiting.read()] == [b"1", b"2"]
        calls = other("HOOKS")
        assert [call[0] for call in calls][:2] == [b"namespaces-init", b"ready"]
        assert calls[0][1] == [str(running.engine.index).encode(), str(running.engine.data).encode()]
        waiting.close()
        other.close()
    lines = (tmp_path / "calls").read_text().splitlines()
    events = [line.split()[0] for line in lines]
    assert events == [
        "namespaces-init",
        "ready",
        "jump-index",
        "jump-data",
        "missing-data",
        "close",
        "namespace-closing",
    ]
    assert all(line.split()[1] == "tcp://127.0.0.1:0" for line in lines)


def test_however_many_wait_for_old_versions_elsewhere_others_read_theirs(tmp_path: Path) -> None:
    """Nobody has a thread that only waits."""
    go, count = threading.Event(), 12

    class Elsewhere:
        @hookimpl
        def zdb_missing_data(self) -> bool:
            go.wait(60)
            return False

    with serving(tmp_path, Elsewhere(), durability=RELAXED, fetch_limit=60) as running:
        namespace = running.engine["default"]
        for i in range(count):
            namespace.set(b"away%d" % i, b"1")
            namespace.jump()
            assert namespace.evict(i)
        namespace.set(b"here", b"2")
        waiting, other = [running.client() for _ in range(count)], running.client()
        try:
            for i, each in enumerate(waiting):
                each.send("HISTORY", f"away{i}")
            for _ in range(3):
                assert other("HISTORY", "here")[2] == b"2"
                assert other("SYNC") == b"OK"
        finally:
            go.set()
        for each in waiting:
            assert each.read() == "-Internal Error (cannot read)"
            each.close()
        other.close()


def test_who_looks_through_all_keys_keeps_nobody_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, keys = threading.Event(), Namespace.keys

    def slow(namespace: Namespace) -> Iterable[bytes]:
        assert go.wait(60)
        return keys(namespace)

    with serving(tmp_path, durability=RELAXED) as running:
        looking, other = running.client(), running.client()
        assert other("SET", "k", "v") == b"k"
        with monkeypatch.context() as patch:
            patch.setattr(Namespace, "keys", slow)
            looking.send("KSCAN", "k")
            for _ in range(3):
                assert other("GET", "k") == b"v"
            go.set()
            assert looking.read() == [b"0", [b"k"]]
        looking.close()
        other.close()


def test_acknowledged_with_a_group_is_on_disk(tmp_path: Path) -> None:
    """An answer is not sent before its sync is done; if that fails, the answer says so."""
    from zdb_engines import FailingDisk

    disk = FailingDisk()
    with serving(tmp_path, durability=Durability.parse("group"), disk=disk) as running:
        talk: Talk = running.client()
        assert talk("SET", "a", "1") == b"a"
        disk.slow = threading.Event()
        talk.send("SET", "b", "2")
        talk.send("PING")
        other = running.client()
        assert other("GET", "a") == b"1"
        assert running.engine["default"].unsynced[0] == 1
        disk.slow.set()
        assert [talk.read(), talk.read()] == [b"b", b"PONG"]
        disk.sync_error = 5
        assert talk("SET", "c", "3") == "-Cannot write data right now"
        disk.sync_error = None
        assert talk("SET", "d", "4") == "-Cannot write data right now"
        assert talk("RELOAD", "default") == b"OK"
        assert talk("SET", "d", "4") == b"d"
        disk.write_error = 28
        assert talk("SET", "e", "5") == "-Cannot write data right now"
        talk.send("SET", "f", "6")
        talk.send("SET", "g", "7")
        assert [talk.read(), talk.read()] == ["-Cannot write data right now"] * 2
        disk.write_error = None
        assert talk("MGET", "d", "e", "f", "g") == [b"4", None, None, None]
        talk.close()
        other.close()
