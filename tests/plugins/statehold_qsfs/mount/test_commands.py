"""The commands mount, umount, status and doctor, where something is not as it should be."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys

import pytest
import qsfs_mounts
from file_systems import run
from qsfs_mounts import Mount, apart, is_mounted, mounted, qsfs, wait_until
from qsfs_posix import as_nobody


@pytest.fixture
def place(tmp_path):
    """A mount that a test starts itself."""
    qsfs_mounts.needed()
    mount = Mount(tmp_path)
    yield mount
    mount.undo()


def refused(*words):
    done = qsfs(*words, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_a_second_mount_of_a_store_is_told_where_the_first_is(place, tmp_path):
    place.start()
    (tmp_path / "other").mkdir()
    background = apart("mount", place.store, tmp_path / "other", "--background")
    assert background.returncode == 1
    for said in (refused("mount", place.store, tmp_path / "other"), background.stderr):
        assert f"is mounted already, at {place.point} by process {place.process.pid}" in said
        assert f"statehold qsfs umount {place.point}" in said
    place.stop()


def test_what_is_no_empty_folder_is_refused(place, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "of-something").touch()
    (tmp_path / "store-inside").mkdir()
    for point, expected in {
        "none": "No such file or directory\n hint: mkdir -p",
        "file": "expected a folder, got a file",
        "full": "is not empty, and what is in it would not be seen: of-something",
    }.items():
        assert expected in refused("mount", place.store, tmp_path / point)
    assert "one is in the other" in refused(
        "mount", tmp_path / "store-inside" / "s", tmp_path / "store-inside"
    )
    assert "expected the folder of a store" in refused("mount", tmp_path / "file", place.point)
    assert not (place.store / "data").exists()


def test_where_something_is_mounted_nothing_else_is(place, tmp_path):
    run("mount", "-t", "tmpfs", "none", place.point)
    assert "none (tmpfs) is mounted there already" in refused("mount", place.store, place.point)
    assert "nothing of QSFS is mounted there" in refused("umount", place.point)


def test_files_that_are_kept_in_a_zstor_too_are_not_mounted_without_it(place):
    from statehold_qsfs.protection._local import new_owner

    place.store.mkdir()
    (place.store / "data").mkdir()
    new_owner(place.store)
    said = refused("mount", place.store, place.point)
    assert "are kept in a zstor, too" in said
    assert "statehold qsfs serve CONFIG" in said
    assert "statehold qsfs serve CONFIG" in qsfs("doctor", place.store, check=False).stdout


def test_a_machine_without_fuse_is_told_what_it_lacks(place, monkeypatch):
    monkeypatch.setenv("FUSE_LIBRARY_PATH", "/nowhere/libfuse3.so.3")
    said = apart("mount", place.store, place.point).stderr
    assert "mounting needs libfuse 3, which cannot be loaded" in said
    assert "apt-get install libfuse3-3 fuse3" in said
    done = apart("doctor")
    assert done.returncode == 1
    assert "✗ libfuse 3: mounting needs libfuse 3" in done.stdout
    monkeypatch.delenv("FUSE_LIBRARY_PATH")
    words = [sys.executable, "-m", "statehold", "qsfs", "mount", place.store, place.point]
    hidden = 'mount --bind /dev/null /dev/fuse && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hidden, "sh", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "the system does not mount it: " in done.stderr
    assert "statehold qsfs doctor" in done.stderr


def test_a_process_without_the_right_to_mount_is_told_so(place):
    words = [sys.executable, "-m", "statehold", "qsfs", "mount", place.store, place.point]
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Operation not permitted" in done.stderr
    assert "statehold qsfs doctor" in done.stderr


def test_a_dead_mount_is_seen_and_taken_away(place):
    place.start()
    (place.point / "kept").write_bytes(b"1")
    fd = os.open(place.point, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    place.kill()
    with pytest.raises(OSError, match=os.strerror(errno.ENOTCONN)):
        os.listdir(place.point)
    (shown,) = [
        each
        for each in json.loads(qsfs("status", "--json").stdout)["mounts"]
        if each["point"] == str(place.point)
    ]
    assert shown["dead"] is True
    assert f"its process is gone: statehold qsfs umount {place.point}" in qsfs("status").stderr
    assert f"✗ mounts: {place.point}: its process is gone" in qsfs("doctor", check=False).stdout
    qsfs("umount", place.point)
    assert not is_mounted(place.point)
    assert "and its process was killed" in refused("status", place.store)
    assert "✓ store: 2 files" in qsfs("doctor", place.store).stdout
    place.start()
    assert (place.point / "kept").read_bytes() == b"1"
    place.stop()


def test_a_mount_that_is_in_use_is_unmounted_only_lazily(place):
    place.start()
    with open(place.point / "file", "wb") as file:
        file.write(b"before")
        file.flush()
        said = refused("umount", place.point)
        assert "busy" in said
        assert f"fuser -vm {place.point}" in said
        assert is_mounted(place.point)
        unmounting = subprocess.Popen(
            [sys.executable, "-m", "statehold", "qsfs", "umount", "--lazy", str(place.point)],
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: not is_mounted(place.point))
        file.write(b" and after")
    assert unmounting.wait(qsfs_mounts.PATIENCE) == 0
    place.process.communicate(timeout=qsfs_mounts.PATIENCE)
    place.start()
    assert (place.point / "file").read_bytes() == b"before and after"
    place.stop()


def test_a_stop_takes_a_mount_from_under_who_uses_it_with_all_they_wrote(place):
    place.start()
    fd = os.open(place.point / "file", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"written, and neither closed nor synced")
    place.stop()
    assert not is_mounted(place.point)
    with contextlib.suppress(OSError):  # it is closed, and told that nobody is there
        os.close(fd)
    place.start()
    assert (place.point / "file").read_bytes() == b"written, and neither closed nor synced"
    place.stop()


def test_in_the_background_it_is_ready_when_the_command_returns(place):
    assert "is mounted at" in apart("mount", place.store, place.point, "--background").stdout
    (place.point / "file").write_bytes(b"1")
    shown = json.loads(qsfs("status", place.point, "--json").stdout)
    assert shown["mounts"][0]["files"]["files"] == 2
    assert "mounted at" in qsfs("doctor", place.store, check=False).stdout
    qsfs("umount", place.store)
    assert not is_mounted(place.point)
    assert "nothing is wrong" in qsfs("doctor", place.store).stdout


def test_a_quota_is_kept(place):
    assert (
        "--quota: expected bytes"
        in qsfs("mount", place.store, place.point, "--quota", "much", check=False).stderr
    )
    place.start("--quota", "1 MiB")
    assert shutil.disk_usage(place.point).total == 2**20
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        (place.point / "file").write_bytes(bytes(range(256)) * 8192)
    (place.point / "file").unlink()
    (place.point / "file").write_bytes(bytes(range(256)) * 2048)
    place.stop()


def test_a_snapshot_is_mounted_to_read_only(place):
    from statehold_qsfs.mount import opened

    place.start()
    (place.point / "file").write_bytes(b"monday")
    place.stop()
    with opened(place.store) as files:
        files.snapshot("monday")
    place.start()
    (place.point / "file").write_bytes(b"tuesday")
    place.stop()
    place.start("--snapshot", "monday")
    assert (place.point / "file").read_bytes() == b"monday"
    with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        (place.point / "file").write_bytes(b"wednesday")
    place.stop()


def test_snapshots_are_made_listed_and_deleted_whether_it_is_mounted_or_not(place):
    def names(where) -> list[str]:
        found = json.loads(qsfs("snapshot", where, "--list", "--json").stdout)
        return [each["name"] for each in found["snapshots"]]

    assert "there is no store" in refused("snapshot", place.store, "monday")
    place.start()
    assert "has no snapshots" in qsfs("snapshot", place.point, "--list").stdout
    with open(place.point / "file", "wb") as file:
        file.write(b"monday")
        file.flush()  # and the kernel alone has it
        assert "monday is kept" in qsfs("snapshot", place.point, "monday").stdout
        file.write(b", tuesday")
    assert "monday: File exists" in refused("snapshot", place.store, "monday")
    assert "noon: No such file" in refused("snapshot", place.point, "--delete", "noon")
    assert qsfs("snapshot", place.store, "--list", "noon", check=False).returncode == 2
    assert names(place.point) == names(place.store) == ["monday"]
    os.chmod(place.point, 0o777)
    deletes = """
try:
    os.setxattr(".", "user.qsfs.snapshot.delete", b"monday")
except PermissionError as error:
    print(error.strerror)
"""
    assert as_nobody(deletes, place.point) == os.strerror(errno.EPERM)
    place.stop()
    qsfs("snapshot", place.store, "tuesday")
    assert names(place.store) == ["monday", "tuesday"]
    place.start("--snapshot", "monday")
    assert (place.point / "file").read_bytes() == b"monday"
    assert "wednesday: Read-only file system" in refused("snapshot", place.point, "wednesday")
    place.stop()
    place.start()
    assert "monday is deleted" in qsfs("snapshot", place.point, "--delete", "monday").stdout
    place.stop()
    qsfs("snapshot", place.store, "--delete", "tuesday")
    assert names(place.store) == []
    assert "nothing is wrong" in qsfs("doctor", "--deep", place.store).stdout


def test_the_space_of_what_was_deleted_comes_back(tmp_path):
    def used() -> int:
        return sum(path.stat().st_size for path in (tmp_path / "store" / "data").rglob("*") if path.is_file())

    with mounted(tmp_path, "--flush", "0.2") as mount:
        for i in range(3):
            (mount.point / str(i)).write_bytes(os.urandom(16 * 2**20))
            if i:
                (mount.point / str(i - 1)).unlink()
        run("sync", "--file-system", mount.point)
        wait_until(lambda: used() < 40 * 2**20)
        assert (mount.point / "2").stat().st_size == 16 * 2**20
