"""What the storage keeps is files, as people would name them."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from statehold.sdk import Field, StorageError
from statehold.testing import open_storage
from statehold_qsfs.files import FileSystem
from statehold_qsfs.mount import opened
from statehold_qsfs.storage import provider
from statehold_zdb.engine import Namespace, ZdbError

NAMED = [Field("Owner", "text", required=True), Field("Number", "int64", required=True)]
DATA = [Field("Data", "bytes")]


def put(opened_storage, key, value):
    item = opened_storage.facade.insert(opened_storage.key(1, **key), opened_storage.value(**value))
    opened_storage.writer.apply_batch([item])


def content(files, path):
    handle = files.open(path, 0)
    try:
        return files.read(handle, 1 << 20, 0)
    finally:
        files.release(handle)


def test_a_value_is_a_file_with_its_bytes_at_the_path_of_its_key(tmp_path):
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        put(storage, {"Owner": "Ann Müller", "Number": 7}, {"Data": b"scan"})
        put(storage, {"Owner": "../up/and\0", "Number": -1}, {"Data": b""})
    with opened(tmp_path) as files:
        owners = sorted(entry.name for entry in files.list("/rows/=1"))
        assert owners == ["%2E.%2Fup%2Fand%00", "Ann Müller"]
        assert content(files, "/rows/=1/Ann Müller/=7") == b"scan"
        assert [entry.name for entry in files.list("/")] == ["rows"]


def test_a_batch_that_fails_leaves_no_file(tmp_path):
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        items = [
            storage.facade.insert(storage.key(1, Owner=owner, Number=1), storage.value(Data=b"1"))
            for owner in ("Ann", "B" * 70_000)
        ]
        with pytest.raises(StorageError, match=r"70,\d+ bytes"):
            storage.writer.apply_batch(items)
        assert storage.facade.get(storage.key(1, Owner="Ann", Number=1)) is None


def test_a_batch_that_the_disk_does_not_make_durable_leaves_all_rows_as_they_were(tmp_path, monkeypatch):
    def refuse(_: Namespace) -> None:
        raise ZdbError("a bad disk")

    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        ann, bob = ({"Owner": owner, "Number": 1} for owner in ("Ann", "Bob"))
        put(storage, ann, {"Data": b"old"})
        items = [
            storage.facade.insert(storage.key(1, **key), storage.value(Data=b"new")) for key in (ann, bob)
        ]
        with monkeypatch.context() as broken:
            broken.setattr(Namespace, "sync", refuse)
            with pytest.raises(StorageError, match="a bad disk"):
                storage.writer.apply_batch(items)
            assert storage.facade.get(storage.key(1, **ann)) == storage.value(Data=b"old")
            assert storage.facade.get(storage.key(1, **bob)) is None
        put(storage, ann, {"Data": b"newer"})
        assert storage.facade.get(storage.key(1, **ann)) == storage.value(Data=b"newer")
    with opened(tmp_path) as files:
        assert [entry.name for entry in files.list("/")] == ["rows"]
        assert [entry.name for entry in files.list("/rows/=1/Ann")] == ["=1"]
        assert content(files, "/rows/=1/Ann/=1") == b"newer"
        assert files.check(deep=True).sound


def test_writers_of_the_same_row_take_turns(tmp_path, monkeypatch):
    """Or else one that fails would take back what another one has written meanwhile."""
    reached, go_on = threading.Event(), threading.Event()
    sync = FileSystem.sync

    def fail_first(files: FileSystem) -> None:
        if not reached.is_set():
            reached.set()
            assert go_on.wait(60)
            raise OSError(errno.EIO, "a bad disk")
        sync(files)

    monkeypatch.setattr(FileSystem, "sync", fail_first)
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        ann, bob = ({"Owner": owner, "Number": 1} for owner in ("Ann", "Bob"))
        with ThreadPoolExecutor() as pool:
            first = pool.submit(put, storage, ann, {"Data": b"first"})
            assert reached.wait(60)
            second = pool.submit(put, storage, ann, {"Data": b"second"})
            put(storage, bob, {"Data": b"other"})  # waits for nobody
            go_on.set()
            second.result(60)
            assert isinstance(first.exception(60), StorageError)
        assert storage.facade.get(storage.key(1, **ann)) == storage.value(Data=b"second")


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        put(storage, {"Owner": "Ann", "Number": 1}, {"Data": b"kept"})
    folder = tmp_path
    with opened(folder) as files:
        files.mkdir("/.new-123", 0o755)
        files.release(files.create("/.new-123/0", 1, 0o644))
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        key = storage.key(1, Owner="Ann", Number=1)
        assert storage.facade.get(key) == storage.value(Data=b"kept")
    with opened(folder) as files:
        assert [entry.name for entry in files.list("/")] == ["rows"]


def test_a_file_that_somebody_has_put_there_is_named(tmp_path):
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        put(storage, {"Owner": "Ann", "Number": 1}, {"Data": b"kept"})
    with opened(tmp_path) as files:
        files.release(files.create("/rows/=1/Ann/=2", 1, 0o644))
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        assert storage.facade.get(storage.key(1, Owner="Ann", Number=1)) == storage.value(Data=b"kept")
        with pytest.raises(StorageError, match="/rows/=1/Ann/=2 is a file that is no row"):
            list(storage.facade.read(storage.prefix(1, Owner="Ann")))
        with pytest.raises(StorageError, match="/rows/=1/Ann/=2 is a file that is no row"):
            storage.facade.get(storage.key(1, Owner="Ann", Number=2))
    text = [Field("Data", "text")]
    with opened(tmp_path) as files:
        files.truncate("/rows/=1/Ann/=1", 0)
        handle = files.open("/rows/=1/Ann/=1", 1)
        files.write(handle, b"\xff", 0)
        files.release(handle)
    with (
        open_storage(provider, key=NAMED, value=text, data_folder=tmp_path) as storage,
        pytest.raises(StorageError, match="/rows/=1/Ann/=1 is a file that is no row"),
    ):
        storage.facade.get(storage.key(1, Owner="Ann", Number=1))


def test_a_batch_that_meets_a_folder_leaves_all_as_it_was(tmp_path):
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        put(storage, {"Owner": "Ann", "Number": 1}, {"Data": b"before"})
    with opened(tmp_path) as files:
        files.mkdir("/rows/=1/Ann/=2", 0o755)
    with open_storage(provider, key=NAMED, value=DATA, data_folder=tmp_path) as storage:
        items = [
            storage.facade.insert(storage.key(1, Owner="Ann", Number=number), storage.value(Data=b"after"))
            for number in (1, 2)
        ]
        with pytest.raises(StorageError, match="/rows/=1/Ann/=2 is a folder"):
            storage.writer.apply_batch(items)
        key = storage.key(1, Owner="Ann", Number=1)
        assert storage.facade.get(key) == storage.value(Data=b"before")
