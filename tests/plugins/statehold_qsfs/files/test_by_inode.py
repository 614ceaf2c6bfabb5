from __future__ import annotations

import errno
import os
import stat

import pytest
from qsfs_stores_of_files import read, write

from statehold_qsfs.files import ROOT, FileSystem


def test_the_same_file_is_found_by_number_and_by_path(files: FileSystem) -> None:
    inodes = files.inodes
    made = inodes.make(ROOT, "d", stat.S_IFDIR | 0o755, uid=1, gid=2)
    file = inodes.make(made.ino, "f", stat.S_IFREG | 0o644, uid=1, gid=2)
    assert inodes.write(file.ino, b"here", 0) == 4
    assert read(files, "/d/f") == b"here"
    assert inodes.read(file.ino, 10, 1) == b"ere"
    assert inodes.lookup(made.ino, "f") == files.getattr("/d/f") == inodes.attributes(file.ino)
    inodes.rename(made.ino, "f", ROOT, "g", 0)
    with pytest.raises(FileNotFoundError):
        files.getattr("/d/f")
    assert [entry.name for entry in inodes.entries(ROOT)] == ["d", "g"]
    inodes.link(file.ino, made.ino, "h")
    assert files.getattr("/d/h").nlink == 2
    inodes.unlink(made.ino, "h")
    inodes.rmdir(ROOT, "d")
    link = inodes.make(ROOT, "l", stat.S_IFLNK | 0o777, uid=0, gid=0, target="g")
    assert inodes.target(link.ino) == "g"
    inodes.setxattr(file.ino, "user.a", b"1", 0)
    assert (inodes.getxattr(file.ino, "user.a"), inodes.listxattr(file.ino)) == (b"1", ["user.a"])
    inodes.removexattr(file.ino, "user.a")
    inodes.allocate(file.ino, 0, 0, 100)
    assert inodes.seek(file.ino, 0, os.SEEK_HOLE) == 100
    inodes.fsync(file.ino)
    assert inodes.statistics().dirty == 0
    assert not files.check().problems


def test_a_file_that_is_held_stays_without_a_name(files: FileSystem) -> None:
    inodes = files.inodes
    file = inodes.make(ROOT, "f", stat.S_IFREG | 0o644, uid=0, gid=0)
    inodes.hold(file.ino)
    inodes.write(file.ino, b"x" * 10_000, 0)
    inodes.unlink(ROOT, "f")
    files.sync()
    with files._parts.lock:
        files._parts.volume.trim()
    assert inodes.attributes(file.ino).nlink == 0
    assert inodes.read(file.ino, 3, 0) == b"xxx"
    inodes.drop(file.ino)
    with pytest.raises(OSError, check=lambda error: error.errno == errno.ESTALE):
        inodes.attributes(file.ino)
    assert files.statistics().used == 0


def test_a_file_that_is_held_and_has_a_name_stays_when_it_is_dropped(files: FileSystem) -> None:
    inodes = files.inodes
    file = inodes.make(ROOT, "f", stat.S_IFREG | 0o644, uid=0, gid=0)
    inodes.hold(file.ino)
    inodes.drop(file.ino)
    assert inodes.lookup(ROOT, "f").ino == file.ino
    with pytest.raises(OSError, check=lambda error: error.errno == errno.ESTALE):
        inodes.hold(12345)


def test_all_that_is_changed_is_told(files: FileSystem) -> None:
    write(files, "/f", b"1234567890")
    ino = files.getattr("/f").ino
    known = files.inodes.change(ino, mode=0o600, uid=5, gid=70_000, size=3, atime=1, mtime=2, ctime=3)
    assert (known.mode, known.uid, known.gid, known.size) == (stat.S_IFREG | 0o600, 5, 70_000, 3)
    assert (known.atime, known.mtime, known.ctime) == (1, 2, 3)
    assert files.inodes.change(ino).ctime > 3


def test_a_file_that_was_dropped_from_memory_is_read_as_it_is_now(files: FileSystem) -> None:
    write(files, "/f", b"old" * 10_000)
    files.sync()
    parts = files._parts
    stale = parts.volume.nodes[files.getattr("/f").ino]
    with parts.lock:
        parts.volume.forget(stale)
    write(files, "/f", b"new" * 10_000)
    files.sync()
    assert parts.reading.read_bytes(stale, 9, 0) == b"newnewnew"
    files.unlink("/f")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.ESTALE):
        parts.reading.read_bytes(stale, 9, 0)
