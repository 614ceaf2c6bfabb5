"""Backends that are away, slow, full, damaged or misconfigured: each is an error of its own, in time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from zdb_servers import Running
from zstor_servers import LIMIT, S3Server, zdb, zdb_config

from statehold.sdk import Secret
from statehold_zdb.server.commands import COMMANDS
from statehold_zstor.backends import (
    MAX_VALUE,
    BackendDamagedError,
    BackendError,
    BackendFullError,
    BackendRefusedError,
    BackendUnreachableError,
    ValueChangedError,
    _folder,
    open_backend,
)
from statehold_zstor.config import BackendConfig

#: What a call may take where it is to take too long.
SHORT = 0.3


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="zstor") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="zstor") as folder, zdb(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> BackendConfig:
    (tmp_path / "shards").mkdir()
    return BackendConfig(url=f"file://{tmp_path}/shards", timeout=SHORT)


@contextlib.contextmanager
def listening(
    folder: Path, talk: Callable[[socket.socket, int], None], *, timeout: float = SHORT
) -> Iterator[BackendConfig]:
    """Something that listens where a 0-db should, and does what *talk* does with each connection."""
    path = folder / "s"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(8)
    opened: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            opened.append(connection)
            with contextlib.suppress(OSError):
                talk(connection, len(opened))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield BackendConfig(url=f"zdb+unix://{path}?namespace=default", timeout=timeout)
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(LIMIT)
        for connection in opened:
            connection.close()


@contextlib.contextmanager
def opened(config: BackendConfig) -> Iterator:
    backend = open_backend(config)
    try:
        yield backend
    finally:
        backend.close()


def calls(backend) -> list[Callable[[], object]]:
    return [
        lambda: backend.put("key", b"x"),
        lambda: backend.get("key"),
        lambda: backend.swap("key", None, b"x"),
        lambda: backend.delete("key"),
        lambda: list(backend.keys()),
    ]


def all_fail(backend, kind: type[BackendError], text: str | None = None) -> None:
    for call in calls(backend):
        with pytest.raises(kind, match=text) as caught:
            call()
        assert caught.value.backend == backend.name
        assert backend.name in caught.value.message
    assert not backend.health().reachable
    assert backend.health().problem


def test_a_0_db_that_is_not_there_is_unreachable_and_comes_back(short: Path) -> None:
    """Connections that broke meanwhile are no matter."""
    config = BackendConfig(url=f"zdb+unix://{short}/s?namespace=default", timeout=LIMIT)
    with opened(config) as backend:
        all_fail(backend, BackendUnreachableError)
        for value in (b"1", b"2"):
            with zdb(short):
                backend.put("key", value)
                assert backend.get("key") == value
            all_fail(backend, BackendUnreachableError)


def test_a_0_db_that_does_not_answer_is_unreachable_in_time(short: Path) -> None:
    with listening(short, lambda connection, _: None) as config, opened(config) as backend:
        all_fail(backend, BackendUnreachableError)


def test_a_0_db_that_stops_in_the_middle_of_an_answer_is_unreachable_in_time(short: Path) -> None:
    """And is asked once: the call has had its time."""
    connections = []

    def talk(connection: socket.socket, number: int) -> None:
        connections.append(number)
        for answer in (b"+OK\r\n", b"$3\r\none\r\n", b"$100\r\nhalf"):
            connection.recv(4096)
            connection.sendall(answer)

    # Long enough for the first answer on a machine that is busy.
    with listening(short, talk, timeout=3.0) as config, opened(config) as backend:
        assert backend.get("key") == b"one"
        with pytest.raises(BackendUnreachableError):
            backend.get("key")
        assert connections == [1]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$abc\r\n", b":7\r\n:7\r\n", b"\r\n"]
)
def test_what_is_no_0_db_is_an_error_and_no_crash(short: Path, answer: bytes) -> None:
    def talk(connection: socket.socket, _: int) -> None:
        while connection.recv(4096):
            connection.sendall(answer)

    with listening(short, talk) as config, opened(config) as backend, pytest.raises(BackendError):
        backend.get("key")


@pytest.mark.parametrize(
    "answer", [b":7\r\n", b"*0\r\n", b"$-1\r\n", b"*2\r\n:1\r\n:2\r\n", b"*2\r\n$1\r\nx\r\n*1\r\n:1\r\n"]
)
def test_answers_that_no_0_db_gives_are_an_error_and_no_crash(short: Path, answer: bytes) -> None:
    def talk(connection: socket.socket, _: int) -> None:
        while connection.recv(4096):
            connection.sendall(answer)

    with listening(short, talk, timeout=LIMIT) as config, opened(config) as backend:
        health = backend.health()
        assert not health.reachable
        assert "is no 0-db" in health.problem
        with pytest.raises(BackendRefusedError, match="is no 0-db: it answered"):
            list(backend.keys())


def test_a_0_db_without_room_is_full_and_still_read(running: Running) -> None:
    config = zdb_config(running)
    name = config.url.rpartition("/")[2]
    running.engine.configure(name, maxsize=1000)
    with opened(config) as backend:
        backend.put("key", b"x" * 900)
        for call in (lambda: backend.put("more", b"x" * 200), lambda: backend.swap("more", None, b"x" * 200)):
            with pytest.raises(BackendFullError, match="No space left"):
                call()
        assert backend.get("key") == b"x" * 900
        health = backend.health()
        assert (health.used, health.limit, health.free) == (900, 1000, 100)
        backend.delete("key")
        backend.put("more", b"x" * 200)


def test_a_0_db_lets_in_who_has_the_password(running: Running) -> None:
    config = zdb_config(running)
    name = config.url.rpartition("/")[2]
    running.engine.configure(name, password=b"hunter2", public=False)
    for password in (None, Secret("wrong")):
        wrong = BackendConfig(url=config.url, password=password, timeout=LIMIT)
        with opened(wrong) as backend:
            all_fail(backend, BackendRefusedError)
    with opened(BackendConfig(url=config.url, password=Secret("hunter2"), timeout=LIMIT)) as backend:
        backend.put("key", b"x")
        assert "hunter2" not in repr(backend.health()) + backend.name


def test_a_namespace_that_is_not_there_or_numbers_its_keys_is_refused(running: Running) -> None:
    with opened(BackendConfig(url=f"zdb://127.0.0.1:{running.port}/nothing", timeout=LIMIT)) as backend:
        all_fail(backend, BackendRefusedError, "Namespace not found")
    config = zdb_config(running)
    from statehold_zdb.engine import Mode

    running.engine.configure(config.url.rpartition("/")[2], mode=Mode.SEQUENTIAL)
    with opened(config) as backend:
        for call in calls(backend)[:3:2]:
            with pytest.raises(BackendRefusedError, match="Zstor needs a namespace in user mode"):
                call()
        assert backend.health().problem == "the namespace is in sequential mode"


@pytest.mark.parametrize(
    ("setting", "problem", "readable"),
    [("lock", "locked", True), ("freeze", "frozen", False), ("worm", "in worm mode", True)],
)
def test_a_namespace_that_takes_no_writes_says_why(
    running: Running, setting: str, problem: str, readable: bool
) -> None:
    config = zdb_config(running)
    name = config.url.rpartition("/")[2]
    with opened(config) as backend:
        backend.put("key", b"x")
        assert backend.health().problem == ""
        running.engine.configure(name, **{setting: True})
        with pytest.raises(BackendRefusedError):
            backend.put("key", b"y")
        health = backend.health()
        assert (health.reachable, health.problem) == (readable, f"the namespace is {problem}")
        if readable:
            assert backend.get("key") == b"x"
        running.engine.configure(name, **{setting: False})
        assert backend.health().problem == ""


def test_damage_on_a_0_db_is_told_from_a_value_that_is_missing(short: Path) -> None:
    with zdb(short) as running:
        config = zdb_config(running, "shards")
        with opened(config) as backend:
            backend.put("key", b"payload" * 100)
            running.engine.get("shards").sync()
            path = short / "data" / "shards" / "d0"
            data = bytearray(path.read_bytes())
            data[data.index(b"payload") + 3] ^= 1
            path.write_bytes(data)
            with pytest.raises(BackendDamagedError, match="cannot read key"):
                backend.get("key")
            backend.put("key", b"new")
            assert backend.get("key") == b"new"


def test_the_original_0_db_which_cannot_swap_is_looked_at_first(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(COMMANDS, "SWAP")
    with zdb(short) as running, opened(zdb_config(running)) as backend:
        backend.swap("key", None, b"one")
        for before in (None, b"two"):
            with pytest.raises(ValueChangedError):
                backend.swap("key", before, b"new")
        backend.swap("key", b"one", b"two")
        assert backend.get("key") == b"two"
        backend.swap("key", b"two", None)
        assert list(backend.keys()) == []


def test_a_folder_whose_disk_is_not_mounted_is_unreachable_and_nothing_is_written_beside_it(
    folder: BackendConfig, tmp_path: Path
) -> None:
    (tmp_path / "shards").rmdir()
    with opened(folder) as backend:
        all_fail(backend, BackendUnreachableError, "the folder is not there")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "shards").mkdir()
        backend.put("key", b"x")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, BackendFullError),
        (errno.EDQUOT, BackendFullError),
        (errno.EROFS, BackendRefusedError),
        (errno.EIO, BackendUnreachableError),
    ],
)
def test_a_folder_that_cannot_be_written_keeps_what_it_has(
    folder: BackendConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[BackendError],
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with opened(folder) as backend:
        backend.put("a/key", b"before")
        with monkeypatch.context() as patch:
            patch.setattr(_folder, "_sync", fail)
            with pytest.raises(kind):
                backend.put("a/key", b"after")
            with pytest.raises(kind):
                backend.swap("a/key", b"before", b"after")
        assert backend.get("a/key") == b"before"
        files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        assert files == {"key=", path_of_lock(tmp_path)}


def path_of_lock(tmp_path: Path) -> str:
    (found,) = (tmp_path / "shards" / ".locks").iterdir()
    return found.name


def test_a_file_that_cannot_be_read_is_damaged_not_missing(
    folder: BackendConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with opened(folder) as backend:
        backend.put("key", b"x")
        monkeypatch.setattr(_folder, "_read", fail)
        with pytest.raises(BackendDamagedError):
            backend.get("key")


def test_what_is_larger_than_any_value_is_damaged_and_not_read_into_memory(
    folder: BackendConfig, tmp_path: Path, s3: S3Server
) -> None:
    """Whoever made it: it would take all the memory that there is."""
    with opened(folder) as backend:
        backend.put("key", b"x")
        with (tmp_path / "shards" / "key=").open("wb") as file:
            file.truncate(1 << 33)
        with pytest.raises(BackendDamagedError, match="more than 8,388,608 bytes"):
            backend.get("key")
        backend.put("key", b"y")
        assert backend.get("key") == b"y"
    config = s3.config("toolarge", prefix="p")
    request = urllib.request.Request(
        f"{s3.endpoint}/toolarge/p/key",
        bytes(MAX_VALUE + 1),
        {"Content-Type": "application/octet-stream"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=LIMIT):
        pass
    with opened(config) as backend:
        with pytest.raises(BackendDamagedError, match="more than 8,388,608 bytes"):
            backend.get("key")
        backend.put("key", b"y")
        assert backend.get("key") == b"y"


def test_what_a_process_that_died_was_writing_is_no_value(folder: BackendConfig, tmp_path: Path) -> None:
    with opened(folder) as backend:
        backend.put("key", b"x")
        (tmp_path / "shards" / ".new" / "0123").write_bytes(b"half")
        assert list(backend.keys()) == ["key"]
        assert backend.health().used == 1


def test_a_value_whose_file_somebody_deletes_before_it_is_there_is_an_error(
    folder: BackendConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not waited for without end."""
    with opened(folder) as backend:
        backend.put("key", b"before")

        def delete(_: int) -> None:
            for path in (tmp_path / "shards" / ".new").iterdir():
                path.unlink()

        monkeypatch.setattr(_folder, "_sync", delete)
        with pytest.raises(BackendUnreachableError):
            backend.put("key", b"after")
        assert backend.get("key") == b"before"


def test_what_a_process_that_died_was_writing_is_deleted_later(folder: BackendConfig, tmp_path: Path) -> None:
    """What is just being written stays."""
    with contextlib.closing(open_backend(folder)) as backend:
        backend.put("key", b"value")
    half = tmp_path / "shards" / ".new" / "half"
    half.write_bytes(b"val")
    with contextlib.closing(open_backend(folder)) as backend:
        assert backend.health().objects == 1
        assert half.exists()
    os.utime(half, (0, 0))
    with contextlib.closing(open_backend(folder)) as backend:
        assert backend.health().objects == 1
        assert not half.exists()
        assert backend.get("key") == b"value"


def test_a_folder_with_a_limit_is_full_at_it(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    with opened(BackendConfig(url=f"file://{tmp_path}/shards", limit=1000)) as backend:
        backend.put("a", b"x" * 600)
        with pytest.raises(BackendFullError, match="1,200 bytes would be there, its limit is 1,000"):
            backend.put("b", b"x" * 600)
        health = backend.health()
        assert (health.used, health.limit, health.free) == (600, 1000, 400)
        for _ in range(3):
            backend.put("a", b"x" * 400)
        backend.delete("a")
        backend.put("b", b"x" * 600)


def test_who_holds_the_lock_of_a_key_for_too_long_is_not_waited_for(
    folder: BackendConfig, tmp_path: Path
) -> None:
    with opened(folder) as backend:
        backend.swap("key", None, b"x")
        fd = os.open(tmp_path / "shards" / ".locks" / path_of_lock(tmp_path), os.O_RDWR)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            with pytest.raises(BackendUnreachableError, match="somebody holds"):
                backend.swap("key", b"x", b"y")
        finally:
            os.close(fd)
        backend.swap("key", b"x", b"y")


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        ("507 Insufficient Storage", b"", BackendFullError),
        ("403 Forbidden", b"<Error><Code>QuotaExceeded</Code></Error>", BackendFullError),
        ("403 Forbidden", b"<Error><Code>AccessDenied</Code></Error>", BackendRefusedError),
        ("404 Not Found", b"<Error><Code>NoSuchBucket</Code></Error>", BackendRefusedError),
        ("503 Slow Down", b"", BackendUnreachableError),
        ("500 Internal Server Error", b"", BackendUnreachableError),
    ],
)
def test_what_an_object_store_refuses_is_an_error_of_its_kind(
    s3: S3Server, status: str, text: bytes, kind: type[BackendError]
) -> None:
    config = s3.config()
    # What may help is tried again for a part of the time.
    impatient = BackendConfig(**{**as_fields(config), "timeout": 1.0})
    with opened(impatient) as backend, opened(config) as patient:
        s3.answer = lambda: (status, text)
        try:
            with pytest.raises(kind):
                backend.put("key", b"x")
        finally:
            s3.answer = None
        patient.put("key", b"x")


def as_fields(config: BackendConfig) -> dict[str, object]:
    import attrs

    return attrs.asdict(config, recurse=False)


def test_an_object_store_that_does_not_answer_is_unreachable_in_time(s3: S3Server) -> None:
    gate = threading.Event()

    def wait() -> tuple[str, bytes]:
        gate.wait(LIMIT)
        return "200 OK", b""

    with opened(BackendConfig(**{**as_fields(s3.config()), "timeout": SHORT})) as backend:
        s3.answer = wait
        try:
            with pytest.raises(BackendUnreachableError):
                backend.get("key")
            assert not backend.health().reachable
        finally:
            s3.answer = None
            gate.set()


def test_a_bucket_that_is_not_there_is_refused(s3: S3Server) -> None:
    with opened(s3.config_of("s3://nothing-here/prefix")) as backend:
        all_fail(backend, BackendRefusedError, "there is no such bucket")


def test_an_object_store_with_a_limit_is_full_at_it(s3: S3Server) -> None:
    with opened(BackendConfig(**{**as_fields(s3.config()), "limit": 1000})) as backend:
        backend.put("a", b"x" * 600)
        with pytest.raises(BackendFullError, match="its limit is 1,000"):
            backend.put("b", b"x" * 600)
        assert backend.health().free == 400


def test_without_the_client_for_object_stores_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(BackendRefusedError, match=r"pip install 'statehold\[qsfs\]'"):
        open_backend(BackendConfig(url="s3://bucket", timeout=SHORT))
