from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from statehold.sdk import StorageError
from statehold.testing import open_storage
from statehold_aos._service_storage._names import folder_name
from statehold_aos.service_storage import provider

MIB = 2**20
ANN, BOB = '["ann"]', '["bob"]'
USER, OTHER = 1_900_000_001, 1_900_000_002
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders to others")


@pytest.fixture
def opened(tmp_path):
    """Open the storage on one data folder, with accounting, as often as it is called."""

    def make(**config):
        return open_storage(
            provider, data_folder=tmp_path / "data", config={"Backend": "accounting", **config}
        )

    (tmp_path / "data").mkdir()
    return make


def claim(storage, users=ANN, *, service="radio", **fields):
    key = storage.key(1, Service=service, Users=users)
    storage.insert(key, fields)
    return storage.storage.folder(key) if users else key


def row(storage, users=ANN, *, service="radio"):
    return storage.facade.get(storage.key(1, Service=service, Users=users))


def change(storage, users=ANN, *, service="radio", **changes):
    key = storage.key(1, Service=service, Users=users)
    storage.update(key, storage.facade.get(key), changes)


def test_each_claim_has_a_folder_of_its_own_for_its_owner_alone(opened):
    with opened() as storage:
        folders = {claim(storage), claim(storage, BOB), claim(storage, service="map")}
        assert len(folders) == 3
        assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in folders)
        assert row(storage).Folder == f"1/{folder_name('radio')}/{folder_name(ANN)}"


def test_a_folder_outlives_versions_and_restarts(opened):
    with opened() as before:
        folder = claim(before)
        (folder / "note").write_text("kept")
        with opened() as after:
            assert after.storage.folder(after.key(1, Service="radio", Users=ANN)) == folder
            claim(after, BOB)
        assert row(before, BOB).Status == "ready"
    with opened() as again:
        assert row(again).Status == "ready"
        assert (folder / "note").read_text() == "kept"


def test_what_a_start_has_left_that_was_killed_is_removed_at_the_next(opened):
    with opened() as storage:
        claim(storage)
        root = storage.storage._folders.root
    (root / ".probe-0123456789abcdef/a").mkdir(parents=True)
    with opened() as storage:
        assert row(storage).Status == "ready"
        assert [each.name for each in root.iterdir()] == ["1"]


def test_an_insert_for_a_claim_that_is_there_keeps_its_data(opened):
    with opened() as storage:
        (claim(storage) / "note").write_text("kept")
        assert (claim(storage, Mode=0o750) / "note").read_text() == "kept"


def test_a_folder_goes_with_its_claim(opened):
    with opened() as storage:
        ann, bob = claim(storage), claim(storage, BOB)
        (ann / "note").write_text("gone")
        change(storage, Removed=True)
        assert not ann.exists()
        assert bob.exists()
        assert row(storage) is None
        assert list(claim(storage).iterdir()) == []


def test_the_folders_of_all_claims_go_with_their_service(opened):
    with opened() as storage:
        claim(storage, "", StorageLimit=MIB)
        ann, bob, other = claim(storage), claim(storage, BOB), claim(storage, service="map")
        change(storage, "", Removed=True)
        assert not ann.parent.exists()
        assert [row(storage, users) for users in ("", ANN, BOB)] == [None] * 3
        assert other.exists()
        assert not bob.exists()


def test_a_claim_whose_folders_lie_too_deep_harms_no_other(opened):
    with opened() as storage:
        folder = claim(storage)
        held = os.open(folder, os.O_RDONLY)
        for _ in range(1_500):
            os.mkdir("d", dir_fd=held)
            inner = os.open("d", os.O_RDONLY, dir_fd=held)
            os.close(held)
            held = inner
        os.close(held)
        try:
            claim(storage, service="map")
            storage.storage.look_after()
            found = {(key.Service, key.Users): row for key, row in storage.facade.read(storage.prefix(1))}
            assert found["radio", ANN].Status == "damaged"
            assert "more than 200 deep" in found["radio", ANN].Message
            assert found["map", ANN].Status == "ready"
            change(storage, Removed=True)
            assert not folder.exists()
        finally:  # pytest could not remove it
            subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_the_folder_of_a_service_goes_with_its_last_claim(opened):
    with opened() as storage:
        folder = claim(storage)
        change(storage, Removed=True)
        assert not folder.parent.exists()


@root_only
def test_a_new_owner_of_a_service_gets_what_the_old_one_had(opened, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("not his")
    with opened() as storage:
        claim(storage, "", Uid=USER)
        folder = claim(storage)
        own = claim(storage, BOB, Uid=OTHER + 1)
        (folder / "inner").mkdir()
        (folder / "inner" / "note").write_text("his")
        (folder / "link").symlink_to(outside)
        (folder / "roots").write_text("root's")
        for path in (folder / "inner", folder / "inner" / "note", folder / "link"):
            os.chown(path, USER, USER, follow_symlinks=False)
        change(storage, "", Uid=OTHER)
        for path in (folder, folder / "inner", folder / "inner" / "note", folder / "link"):
            assert (path.lstat().st_uid, path.lstat().st_gid) == (OTHER, OTHER)
        assert outside.stat().st_uid == (folder / "roots").stat().st_uid == 0
        assert own.stat().st_uid == OTHER + 1


def test_only_root_gives_folders_away(opened, monkeypatch):
    with opened() as storage:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(StorageError, match="only root may give folders away"):
            claim(storage, Uid=USER)


def test_a_limit_of_0_hands_no_folder_out_and_keeps_the_data(opened):
    with opened() as storage:
        claim(storage, "", StorageLimit=MIB)
        folder = claim(storage)
        (folder / "note").write_text("kept")
        change(storage, "", StorageLimit=0)
        assert (row(storage).Folder, row(storage).Limit) == (None, 0)
        assert "StorageLimit is 0" in row(storage).Message
        with pytest.raises(StorageError, match="there is no folder"):
            storage.storage.folder(storage.key(1, Service="radio", Users=ANN))
        change(storage, "", StorageLimit=MIB)
        assert (folder / "note").read_text() == "kept"


def test_a_limit_of_0_removes_the_data_where_that_was_said(opened):
    with opened(ZeroLimit="remove") as storage:
        claim(storage, "", StorageLimit=MIB)
        folder = claim(storage)
        (folder / "note").write_text("gone")
        change(storage, "", StorageLimit=0)
        assert not folder.exists()
        change(storage, "", StorageLimit=MIB)
        assert list(folder.iterdir()) == []


def test_what_is_advisory_says_so_and_what_is_over_is_told(opened):
    with opened() as storage:
        claim(storage, "", StorageLimit=MIB)
        (claim(storage) / "big").write_bytes(bytes(2 * MIB))
        assert "advisory" in row(storage).Quota
        assert row(storage).Used >= 2 * MIB
        assert "1,048,576 are allowed (accounting (advisory" in row(storage, "").Message


def test_limits_that_are_required_fail_the_start_where_nobody_enforces_them(opened):
    with (
        pytest.raises(StorageError, match="limits are required, and nobody enforces them"),
        opened(Require=True),
    ):
        pass


@pytest.mark.parametrize("root", ["relative", "/not/there"])
def test_a_root_that_is_none_fails_the_start(opened, root):
    with pytest.raises(StorageError, match=r"absolute path|Is its disk mounted"), opened(Root=root):
        pass


@pytest.mark.parametrize("damage", ["file", "link", "gone", "no-group"])
def test_a_damaged_folder_harms_no_other_claim(opened, tmp_path, caplog, damage):
    with opened() as storage:
        bad, good, other = claim(storage), claim(storage, BOB), claim(storage, service="map")
        (good / "note").write_text("kept")
    if damage == "no-group":
        bad, good = other, bad
        bad.rmdir()
        bad.parent.rmdir()
        bad.parent.write_text("no folder")
    else:
        bad.rmdir()
    if damage == "file":
        bad.write_text("no folder")
    if damage == "link":
        bad.symlink_to(tmp_path)
    with opened() as storage:
        users, service = (ANN, "map") if damage == "no-group" else (ANN, "radio")
        if damage == "gone":
            assert row(storage).Status == "ready"
            assert "was gone, there is an empty one" in caplog.text
        else:
            assert row(storage, users, service=service).Status == "damaged"
            assert row(storage, users, service=service).Folder is None
        assert row(storage, BOB).Status == "ready"
        assert claim(storage, BOB, Mode=0o750).exists()
        assert claim(storage, '["new"]').exists()
        if damage in ("file", "link"):
            bad.unlink()
            storage.storage.look_after()
            assert row(storage).Status == "ready"


@pytest.mark.parametrize(
    "name", ["..", "../../x", "/etc", "a/b", ".", "con", "x" * 5000, "\0", "ä" * 300, " ", "A", "a"]
)
def test_no_name_leaves_the_folder(opened, tmp_path, name):
    with opened() as storage:
        folder = claim(storage, name, service=name)
        top = (tmp_path / "data" / "folders" / "1").resolve()
        assert folder.resolve().parent.parent == top
        assert len(folder.name) < 80
        (folder / "file").write_text("ok")
        change(storage, name, service=name, Removed=True)
        assert list(top.iterdir()) == []


def test_names_that_differ_in_case_only_have_different_folders():
    assert len({folder_name(name).casefold() for name in ("radio", "Radio", "RADIO")}) == 3


def test_a_batch_that_fails_leaves_nothing_behind(opened, tmp_path, monkeypatch):
    with opened() as storage:
        kept = claim(storage, "", StorageLimit=MIB)
        before = claim(storage)
        top = before.parent.parent
        make = type(storage.storage.backend).make_folder

        def fail(self, group, name):
            if name == folder_name(BOB):
                raise OSError(5, "the disk is broken")
            return make(self, group, name)

        monkeypatch.setattr(type(storage.storage.backend), "make_folder", fail)
        intents = [
            storage.facade.insert(storage.key(1, Service="map", Users=ANN), {}),
            storage.facade.insert(storage.key(1, Service="radio", Users='["eve"]'), {}),
            storage.facade.update(kept, storage.facade.get(kept), {"StorageLimit": 2 * MIB}),
            storage.facade.insert(storage.key(1, Service="radio", Users=BOB), {}),
        ]
        with pytest.raises(StorageError, match="the disk is broken"):
            storage.apply(intents)
        assert [path.name for path in top.iterdir()] == [folder_name("radio")]
        assert [path.name for path in before.parent.iterdir()] == [folder_name(ANN)]
        assert row(storage, "").StorageLimit == MIB
        assert row(storage, service="map") is None


def test_removing_and_making_a_claim_in_one_batch_is_refused(opened):
    with opened() as storage:
        claim(storage)
        key = storage.key(1, Service="radio", Users=ANN)
        gone = storage.facade.update(key, storage.facade.get(key), {"Removed": True})
        with pytest.raises(StorageError, match="removed and made again in one batch"):
            storage.apply([gone, storage.facade.insert(key, {})])
        assert row(storage).Status == "ready"


CRASH = Path(__file__).with_name("crash.py")


@pytest.mark.parametrize("moment", ["recorded", "made", "limited", "usable", "in force"])
def test_a_kill_at_any_moment_leaves_a_batch_done_or_not_begun(opened, tmp_path, moment):
    with opened() as storage:
        (claim(storage) / "note").write_text("kept")
        top = storage.storage.folder(storage.key(1, Service="radio", Users=ANN)).parent.parent
    done = subprocess.run([sys.executable, CRASH, tmp_path / "data", moment], check=False)
    assert done.returncode == -signal.SIGKILL
    with opened() as storage:
        found = sorted(str(path.relative_to(top)) for path in top.glob("*/*"))
        if moment == "in force":
            assert row(storage) is None
            assert found == sorted(f"{folder_name(name)}/{folder_name(BOB)}" for name in ("radio", "map"))
            assert row(storage, BOB, service="map").Status == "ready"
        else:
            assert found == [f"{folder_name('radio')}/{folder_name(ANN)}"]
            assert row(storage, BOB) is None
            assert (
                storage.storage.folder(storage.key(1, Service="radio", Users=ANN)).joinpath("note").exists()
            )
        assert claim(storage, BOB).exists()


def test_what_cannot_be_removed_yet_is_told_and_tried_again(opened, monkeypatch, caplog):
    with opened() as storage:
        folder = claim(storage)
        claim(storage, BOB)
        with monkeypatch.context() as patch:

            def busy(*_):
                raise OSError(16, "Device or resource busy")

            patch.setattr(type(storage.storage.backend), "remove_folder", busy)
            change(storage, Removed=True)
            assert row(storage) is None
            assert "cannot be removed yet" in caplog.text
            storage.storage.look_after()
            assert caplog.text.count("cannot be removed yet") == 1
            with pytest.raises(StorageError, match="is still there"):
                claim(storage)
        storage.storage.look_after()
        assert not folder.exists()
        assert claim(storage).exists()


@root_only
def test_what_is_mounted_in_a_folder_is_not_removed_with_it(opened, tmp_path):
    from file_systems import root_and_loops, run, unmount_all

    root_and_loops()
    with opened() as storage:
        folder = claim(storage)
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "note").write_text("kept")
        (folder / "in").mkdir()
        if run("mount", "--bind", tmp_path / "precious", folder / "in", check=False).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            change(storage, Removed=True)
            assert (tmp_path / "precious" / "note").read_text() == "kept"
            assert row(storage) is None
        finally:
            unmount_all(folder)
        storage.storage.look_after()
        assert not folder.exists()
        assert (tmp_path / "precious" / "note").read_text() == "kept"


def test_a_batch_that_cannot_be_recorded_is_undone(opened, monkeypatch):
    from statehold_aos._service_storage._book import Book

    with opened() as storage:
        folder = claim(storage)
        with monkeypatch.context() as patch:

            def full(*_):
                raise StorageError("disk I/O error")

            patch.setattr(Book, "settle", full)
            with pytest.raises(StorageError, match="disk I/O error"):
                claim(storage, BOB)
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]


WORK = Path(__file__).with_name("working.py")


def test_processes_and_threads_share_the_folders(opened, tmp_path):
    with opened() as storage:
        failures = []

        def work(who: int) -> None:
            try:
                for number in range(20):
                    folder = claim(storage, f"thread-{who}-{number}", service=f"service-{number % 3}")
                    assert folder.is_dir()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
        processes = [
            subprocess.Popen([sys.executable, WORK, tmp_path / "data", f"process-{who}"]) for who in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        assert failures == []
        rows = dict(storage.facade.read(storage.prefix(1)))
        assert len(rows) == 4 * 20 + 3 * 10
        assert all(value.Status == "ready" for value in rows.values())
        folders = list((tmp_path / "data" / "folders" / "1").glob("*/*"))
        assert len(folders) == len(rows)


def test_folders_of_a_book_that_was_lost_are_not_emptied(opened, tmp_path):
    with opened() as storage:
        (claim(storage) / "note").write_text("kept")
    for path in Path(tmp_path / "data").glob("service-storage.db*"):
        path.unlink()
    with opened() as storage:
        assert row(storage) is None
        assert (claim(storage) / "note").read_text() == "kept"
