"""What the storage keeps is files, as people would name them."""

from __future__ import annotations

import pytest

from statehold.sdk import Field, StorageError
from statehold.testing import open_storage
from statehold_qsfs.mount import opened
from statehold_qsfs.storage import provider

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
