"""What programs may rely on: each function looks at one thing, in a folder of its own."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import random
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_NOBODY = 65534


def listing() -> list[Callable[[Path], None]]:
    """Return all of them."""
    return [each for name, each in globals().items() if name.startswith("a_") and callable(each)]


@contextmanager
def refused(number: int) -> Iterator[None]:
    with pytest.raises(OSError, match=os.strerror(number)):
        yield


def renameat2(old: Path, new: Path, flags: int) -> None:
    arguments = (_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags)
    if _LIBC.renameat2(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def fallocate(fd: int, mode: int, offset: int, size: int) -> None:
    if _LIBC.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(size)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def as_nobody(code: str, folder: Path) -> str:
    """Run *code* as a user without rights, and return what it prints."""
    # Python itself may lie where such a user may not look.
    become = f"import os, stat\nos.setgroups([])\nos.setgid({_NOBODY})\nos.setuid({_NOBODY})"
    done = subprocess.run(
        [sys.executable, "-ISc", f"{become}\n{code}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def in_another_process(code: str, *arguments: object) -> str:
    command = [sys.executable, "-ISc", f"import fcntl, os, sys\n{code}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# Directories


def a_directory_that_is_not_empty_is_not_removed(folder):
    (folder / "d").mkdir()
    (folder / "d/f").write_bytes(b"kept")
    with refused(errno.ENOTEMPTY):
        (folder / "d").rmdir()
    assert (folder / "d/f").read_bytes() == b"kept"


def a_directory_that_is_not_empty_is_not_renamed_over(folder):
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    (folder / "b/f").write_bytes(b"kept")
    with refused(errno.ENOTEMPTY):
        os.rename(folder / "a", folder / "b")
    assert (folder / "b/f").read_bytes() == b"kept"


def an_empty_directory_is_renamed_over(folder):
    (folder / "a").mkdir()
    (folder / "a/f").write_bytes(b"1")
    (folder / "b").mkdir()
    os.rename(folder / "a", folder / "b")
    assert [each.name for each in folder.iterdir()] == ["b"]
    assert (folder / "b/f").read_bytes() == b"1"


def a_directory_counts_its_links(folder):
    (folder / "d").mkdir()
    assert (folder / "d").stat().st_nlink == 2
    (folder / "d/a").mkdir()
    (folder / "d/b").mkdir()
    assert (folder / "d").stat().st_nlink == 4
    os.rename(folder / "d/a", folder / "a")
    assert (folder / "d").stat().st_nlink == 3
    (folder / "d/b").rmdir()
    assert (folder / "d").stat().st_nlink == 2


def a_directory_is_no_file(folder):
    (folder / "d").mkdir()
    (folder / "f").touch()
    with refused(errno.EISDIR):
        os.unlink(folder / "d")
    with refused(errno.ENOTDIR):
        os.rmdir(folder / "f")
    with refused(errno.EISDIR):
        os.open(folder / "d", os.O_WRONLY)
    with refused(errno.ENOTDIR):
        os.open(folder / "f", os.O_RDONLY | os.O_DIRECTORY)
    with refused(errno.ENOTDIR):
        os.stat(folder / "f/x")


def a_directory_and_a_file_do_not_replace_each_other(folder):
    (folder / "d").mkdir()
    (folder / "f").touch()
    with refused(errno.ENOTDIR):
        os.rename(folder / "d", folder / "f")
    with refused(errno.EISDIR):
        os.rename(folder / "f", folder / "d")


def a_directory_does_not_move_into_itself(folder):
    (folder / "a/b").mkdir(parents=True)
    with refused(errno.EINVAL):
        os.rename(folder / "a", folder / "a/b/c")


def a_directory_that_was_moved_knows_its_new_parent(folder):
    (folder / "a/sub").mkdir(parents=True)
    (folder / "b").mkdir()
    os.rename(folder / "a/sub", folder / "b/sub")
    assert os.stat(folder / "b/sub/..").st_ino == os.stat(folder / "b").st_ino


def a_directory_of_thousands_is_listed_whole_and_once(folder):
    names = {f"file-{i:05d}" for i in range(3000)}
    for name in names:
        os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY))
    found = os.listdir(folder)
    assert len(found) == 3000
    assert set(found) == names


def a_directory_may_be_emptied_while_it_is_listed(folder):
    for i in range(1000):
        (folder / str(i)).touch()
    with os.scandir(folder) as entries:
        for entry in entries:
            os.unlink(entry.path)
    assert os.listdir(folder) == []


def a_directory_that_is_listed_anew_has_what_came(folder):
    (folder / "a").touch()
    assert os.listdir(folder) == ["a"]
    (folder / "b").touch()
    assert sorted(os.listdir(folder)) == ["a", "b"]
    (folder / "a").unlink()
    assert os.listdir(folder) == ["b"]


def a_directory_entry_has_its_type_and_number(folder):
    (folder / "d").mkdir()
    (folder / "f").touch()
    (folder / "l").symlink_to("f")
    with os.scandir(folder) as entries:
        found = {
            each.name: (each.is_dir(follow_symlinks=False), each.is_symlink(), each.inode())
            for each in entries
        }
    assert found == {
        "d": (True, False, (folder / "d").stat().st_ino),
        "f": (False, False, (folder / "f").stat().st_ino),
        "l": (False, True, (folder / "l").lstat().st_ino),
    }


def a_directory_that_is_gone_takes_nothing(folder):
    (folder / "d").mkdir()
    fd = os.open(folder / "d", os.O_RDONLY)
    try:
        (folder / "d").rmdir()
        with refused(errno.ENOENT):
            os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
        assert os.listdir(fd) == []
    finally:
        os.close(fd)


def a_directory_s_time_is_of_the_last_change_in_it(folder):
    os.utime(folder, ns=(1, 1))
    (folder / "f").touch()
    made = folder.stat().st_mtime_ns
    assert made > 10**18
    os.utime(folder, ns=(1, 1))
    os.rename(folder / "f", folder / "g")
    assert folder.stat().st_mtime_ns >= made
    os.utime(folder, ns=(1, 1))
    (folder / "g").unlink()
    assert folder.stat().st_mtime_ns >= made


def a_deep_tree_is_removed(folder):
    path = folder
    for i in range(60):
        path /= f"level-{i}"
        path.mkdir()
    (path / "f").write_bytes(b"deep")
    subprocess.run(["rm", "-r", folder / "level-0"], check=True)
    assert os.listdir(folder) == []


# Names


def a_name_has_up_to_255_bytes(folder):
    (folder / ("n" * 255)).write_bytes(b"1")
    (folder / ("ä" * 127)).write_bytes(b"2")
    assert len(os.listdir(folder)) == 2
    with refused(errno.ENAMETOOLONG):
        (folder / ("n" * 256)).touch()
    with refused(errno.ENAMETOOLONG):
        os.stat(folder / ("n" * 256))


def a_name_may_be_any_bytes(folder):
    names = [b"\xff\xfe", b"new\nline", b" spaces ", "日本語".encode(), b"-rf", b"*?[", b"a\\b,c"]
    for name in names:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(name)
    assert sorted(os.listdir(os.fsencode(folder))) == sorted(names)
    for name in names:
        with open(os.path.join(os.fsencode(folder), name), "rb") as file:
            assert file.read() == name


def a_name_that_is_taken_is_refused(folder):
    (folder / "f").touch()
    for make in (os.mkdir, lambda path: os.symlink("x", path), os.mkfifo):
        with refused(errno.EEXIST):
            make(folder / "f")
    with refused(errno.EEXIST):
        os.open(folder / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    (folder / "g").touch()
    with refused(errno.EEXIST):
        os.link(folder / "g", folder / "f")


def a_name_that_was_not_there_is_there_after_it_was_made(folder):
    assert not (folder / "f").exists()
    (folder / "f").touch()
    assert (folder / "f").exists()
    (folder / "f").unlink()
    assert not (folder / "f").exists()
    (folder / "f").mkdir()
    assert (folder / "f").is_dir()


def a_name_has_case(folder):
    (folder / "a").write_bytes(b"small")
    (folder / "A").write_bytes(b"large")
    assert (folder / "a").read_bytes() == b"small"


# Renaming


def a_rename_replaces_a_file_at_once(folder):
    (folder / "old").write_bytes(b"old")
    (folder / "new").write_bytes(b"new")
    with open(folder / "old", "rb") as held:
        os.rename(folder / "new", folder / "old")
        assert held.read() == b"old"
    assert (folder / "old").read_bytes() == b"new"
    assert os.listdir(folder) == ["old"]


def a_rename_onto_a_further_name_of_the_same_file_does_nothing(folder):
    (folder / "a").write_bytes(b"1")
    os.link(folder / "a", folder / "b")
    os.rename(folder / "a", folder / "b")
    assert sorted(os.listdir(folder)) == ["a", "b"]


def a_rename_moves_between_directories(folder):
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    (folder / "a/f").write_bytes(b"1")
    number = (folder / "a/f").stat().st_ino
    os.rename(folder / "a/f", folder / "b/g")
    assert os.listdir(folder / "a") == []
    assert (folder / "b/g").stat().st_ino == number


def a_rename_may_refuse_to_replace(folder):
    (folder / "a").write_bytes(b"a")
    (folder / "b").write_bytes(b"b")
    with refused(errno.EEXIST):
        renameat2(folder / "a", folder / "b", 1)
    assert (folder / "b").read_bytes() == b"b"
    renameat2(folder / "a", folder / "c", 1)
    assert (folder / "c").read_bytes() == b"a"


def a_rename_may_exchange(folder):
    (folder / "a").write_bytes(b"file")
    (folder / "b").mkdir()
    (folder / "b/f").write_bytes(b"in it")
    renameat2(folder / "a", folder / "b", 2)
    assert (folder / "b").read_bytes() == b"file"
    assert (folder / "a/f").read_bytes() == b"in it"
    with refused(errno.ENOENT):
        renameat2(folder / "a", folder / "none", 2)


def a_rename_leaves_open_files_alone(folder):
    with open(folder / "a", "w+b") as file:
        file.write(b"before ")
        file.flush()
        os.rename(folder / "a", folder / "b")
        file.write(b"after")
        file.flush()
        assert (folder / "b").read_bytes() == b"before after"


# Links


def a_hard_link_is_the_same_file(folder):
    (folder / "a").write_bytes(b"1")
    os.link(folder / "a", folder / "b")
    first, second = (folder / "a").stat(), (folder / "b").stat()
    assert (first.st_ino, first.st_nlink) == (second.st_ino, second.st_nlink) == (first.st_ino, 2)
    (folder / "a").unlink()
    assert (folder / "b").stat().st_nlink == 1
    assert (folder / "b").read_bytes() == b"1"


def a_hard_link_sees_what_is_written_at_once(folder):
    (folder / "a").write_bytes(b"x" * 8192)
    os.link(folder / "a", folder / "b")
    first, second = os.open(folder / "a", os.O_RDWR), os.open(folder / "b", os.O_RDWR)
    try:
        assert os.pread(second, 4, 0) == b"xxxx"
        os.pwrite(first, b"yyyy", 0)
        assert os.pread(second, 4, 0) == b"yyyy"
        os.pwrite(second, b"zz", 8192)
        assert os.fstat(first).st_size == 8194
        os.ftruncate(second, 2)
        assert os.fstat(first).st_size == 2
    finally:
        os.close(first)
        os.close(second)


def a_hard_link_of_a_directory_is_refused(folder):
    (folder / "d").mkdir()
    with refused(errno.EPERM):
        os.link(folder / "d", folder / "e")


def a_symbolic_link_may_point_nowhere(folder):
    target = "no/such/" + "x" * 200
    (folder / "l").symlink_to(target)
    assert os.readlink(folder / "l") == target
    assert (folder / "l").lstat().st_size == len(target)
    assert not (folder / "l").exists()
    with refused(errno.ENOENT):
        os.open(folder / "l", os.O_RDONLY)


def a_symbolic_link_is_followed(folder):
    (folder / "d").mkdir()
    (folder / "d/f").write_bytes(b"1")
    (folder / "l").symlink_to("d")
    assert (folder / "l/f").read_bytes() == b"1"
    (folder / "loop").symlink_to("loop")
    with refused(errno.ELOOP):
        os.stat(folder / "loop")


def a_symbolic_link_has_times_and_owners_of_its_own(folder):
    (folder / "f").touch()
    (folder / "l").symlink_to("f")
    os.utime(folder / "l", ns=(5, 6), follow_symlinks=False)
    os.chown(folder / "l", 7, 8, follow_symlinks=False)
    known = (folder / "l").lstat()
    assert (known.st_mtime_ns, known.st_uid, known.st_gid) == (6, 7, 8)
    assert (folder / "f").stat().st_uid == os.getuid()


# Contents


def a_file_has_what_was_written(folder):
    data = os.urandom(3_000_001)
    (folder / "f").write_bytes(data)
    assert (folder / "f").read_bytes() == data
    assert (folder / "f").stat().st_size == len(data)


def a_file_has_what_was_written_at_random(folder):
    numbers, model = random.Random(7), bytearray(400_000)
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    try:
        os.ftruncate(fd, len(model))
        for _ in range(300):
            at, size = numbers.randrange(len(model)), numbers.randrange(1, 9000)
            data = numbers.randbytes(min(size, len(model) - at))
            model[at : at + len(data)] = data
            assert os.pwrite(fd, data, at) == len(data)
            at = numbers.randrange(len(model))
            assert os.pread(fd, 5000, at) == model[at : at + 5000]
        os.fsync(fd)
    finally:
        os.close(fd)
    assert (folder / "f").read_bytes() == model


def a_file_that_was_cut_off_and_grown_has_zeros(folder):
    (folder / "f").write_bytes(b"x" * 10_000)
    os.truncate(folder / "f", 100)
    os.truncate(folder / "f", 10_000)
    assert (folder / "f").read_bytes() == b"x" * 100 + bytes(9_900)


def a_file_that_was_opened_empty_and_grown_has_zeros(folder):
    (folder / "f").write_bytes(b"x" * 300_000)
    fd = os.open(folder / "f", os.O_RDWR | os.O_TRUNC)
    try:
        assert os.fstat(fd).st_size == 0
        os.ftruncate(fd, 300_000)
        assert os.pread(fd, 300_001, 0) == bytes(300_000)
    finally:
        os.close(fd)


def a_file_has_zeros_where_nothing_was_written(folder):
    with open(folder / "f", "wb") as file:
        file.seek(1_000_000)
        file.write(b"end")
    assert (folder / "f").read_bytes() == bytes(1_000_000) + b"end"


def a_sparse_file_takes_little(folder):
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    try:
        os.pwrite(fd, b"x", 1 << 40)
        os.fsync(fd)
        known = os.fstat(fd)
        assert known.st_size == (1 << 40) + 1
        assert known.st_blocks * 512 < 1 << 20
        assert os.pread(fd, 10, 1 << 39) == bytes(10)
        assert os.pread(fd, 10, 1 << 40) == b"x"
    finally:
        os.close(fd)


def a_hole_may_be_sought(folder):
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    try:
        os.pwrite(fd, b"x" * 4096, 1 << 20)
        assert os.lseek(fd, 0, os.SEEK_DATA) <= 1 << 20
        assert os.lseek(fd, 1 << 20, os.SEEK_DATA) == 1 << 20
        assert os.lseek(fd, 1 << 20, os.SEEK_HOLE) == (1 << 20) + 4096
        with refused(errno.ENXIO):
            os.lseek(fd, 1 << 30, os.SEEK_DATA)
    finally:
        os.close(fd)


def a_hole_may_be_punched(folder):
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    try:
        os.pwrite(fd, b"x" * 400_000, 0)
        fallocate(fd, 3, 100_000, 200_000)  # KEEP_SIZE | PUNCH_HOLE
        expected = b"x" * 100_000 + bytes(200_000) + b"x" * 100_000
        assert os.pread(fd, 400_001, 0) == expected
    finally:
        os.close(fd)


def a_file_may_be_given_room(folder):
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    try:
        os.pwrite(fd, b"abc", 0)
        os.posix_fallocate(fd, 0, 100_000)
        assert os.fstat(fd).st_size == 100_000
        assert os.pread(fd, 5, 0) == b"abc\0\0"
    finally:
        os.close(fd)


def a_write_appends_where_the_end_is_then(folder):
    first = os.open(folder / "f", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    second = os.open(folder / "f", os.O_WRONLY | os.O_APPEND)
    try:
        for i in range(100):
            os.write(first, b"a%02d" % i)
            os.write(second, b"b%02d" % i)
    finally:
        os.close(first)
        os.close(second)
    assert (folder / "f").read_bytes() == b"".join(b"a%02db%02d" % (i, i) for i in range(100))


def a_write_is_seen_through_another_handle(folder):
    with open(folder / "f", "w+b", buffering=0) as writer, open(folder / "f", "rb", buffering=0) as reader:
        for i in range(50):
            writer.write(b"%05d" % i)
            assert reader.read(5) == b"%05d" % i


def a_write_of_direct_io_is_seen_by_others(folder):
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    try:
        page = mmap.mmap(-1, 8192)
        page[:] = b"d" * 8192
        assert os.write(fd, page) == 8192
        assert (folder / "f").read_bytes() == b"d" * 8192
    finally:
        os.close(fd)


def a_file_is_there_after_it_was_synced(folder):
    with open(folder / "f", "wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        os.fsync(file.fileno())
        os.fdatasync(file.fileno())
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    assert (folder / "f").read_bytes() == b"x" * 100_000


def a_file_is_copied_by_the_kernel(folder):
    data = os.urandom(500_000)
    (folder / "a").write_bytes(data)
    with open(folder / "a", "rb") as source, open(folder / "b", "wb") as target:
        left = len(data)
        while left:
            left -= os.copy_file_range(source.fileno(), target.fileno(), left)
    assert (folder / "b").read_bytes() == data
    with open(folder / "a", "rb") as source, open(folder / "c", "wb") as target:
        at = 0
        while at < len(data):
            at += os.sendfile(target.fileno(), source.fileno(), at, len(data) - at)
    assert (folder / "c").read_bytes() == data


# Files without a name


def a_file_without_a_name_is_used_on(folder):
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    try:
        os.write(fd, b"before")
        os.unlink(folder / "f")
        assert os.listdir(folder) == []
        assert os.fstat(fd).st_nlink == 0
        os.write(fd, b" after")
        os.ftruncate(fd, 100_000)
        os.fchmod(fd, 0o640)
        os.utime(fd, ns=(3, 4))
        os.fsync(fd)
        known = os.fstat(fd)
        assert (known.st_size, stat.S_IMODE(known.st_mode), known.st_mtime_ns) == (100_000, 0o640, 4)
        assert os.pread(fd, 12, 0) == b"before after"
    finally:
        os.close(fd)


def a_file_that_was_replaced_is_used_on(folder):
    (folder / "new").write_bytes(b"new")
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    try:
        os.write(fd, b"old")
        os.rename(folder / "new", folder / "f")
        assert os.fstat(fd).st_nlink == 0
        assert os.pread(fd, 9, 0) == b"old"
        (folder / "f").unlink()
        assert os.listdir(folder) == []
    finally:
        os.close(fd)


# Attributes


def a_mode_is_kept(folder):
    (folder / "f").touch()
    for mode in (0, 0o644, 0o4755, 0o2711, 0o1777, 0o7777):
        (folder / "f").chmod(mode)
        assert stat.S_IMODE((folder / "f").stat().st_mode) == mode


def a_mode_is_masked_when_a_file_is_made(folder):
    before = os.umask(0o027)
    try:
        os.close(os.open(folder / "f", os.O_CREAT | os.O_WRONLY, 0o666))
        os.mkdir(folder / "d", 0o777)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "f").stat().st_mode) == 0o640
    assert stat.S_IMODE((folder / "d").stat().st_mode) == 0o750


def a_user_has_a_number_of_32_bits(folder):
    (folder / "f").touch()
    os.chown(folder / "f", 100_000, 4_000_000_000)
    known = (folder / "f").stat()
    assert (known.st_uid, known.st_gid) == (100_000, 4_000_000_000)
    os.chown(folder / "f", -1, 5)
    known = (folder / "f").stat()
    assert (known.st_uid, known.st_gid) == (100_000, 5)


def a_user_without_rights_is_refused(folder):
    folder.chmod(0o755)
    (folder / "secret").write_bytes(b"1")
    (folder / "secret").chmod(0o600)
    (folder / "open").write_bytes(b"2")
    (folder / "open").chmod(0o644)
    code = """
for name, flags in (("secret", os.O_RDONLY), ("open", os.O_WRONLY), ("new", os.O_CREAT | os.O_WRONLY)):
    try:
        os.open(name, flags)
    except PermissionError:
        print("refused")
print(os.read(os.open("open", os.O_RDONLY), 9).decode())
"""
    assert as_nobody(code, folder) == "refused\nrefused\nrefused\n2"


def a_user_owns_what_they_make(folder):
    folder.chmod(0o777)
    as_nobody("os.close(os.open('f', os.O_CREAT | os.O_WRONLY)); os.mkdir('d'); os.symlink('x', 'l')", folder)
    assert {each.lstat().st_uid for each in folder.iterdir()} == {_NOBODY}


def a_sticky_directory_keeps_others_from_removing(folder):
    folder.chmod(0o1777)
    (folder / "f").touch()
    code = """
try:
    os.unlink("f")
except PermissionError:
    print("refused")
"""
    assert as_nobody(code, folder) == "refused"


def a_group_of_a_directory_is_inherited(folder):
    os.chown(folder, -1, 4242)
    folder.chmod(0o2755)
    (folder / "f").touch()
    (folder / "d").mkdir()
    assert (folder / "f").stat().st_gid == 4242
    assert (folder / "d").stat().st_gid == 4242
    assert (folder / "d").stat().st_mode & stat.S_ISGID


def a_write_takes_the_right_to_run_as_the_owner(folder):
    folder.chmod(0o755)
    for name in ("written", "cut", "given"):
        (folder / name).write_bytes(b"data")
        (folder / name).chmod(0o777)
        os.chown(folder / name, 1, 1)
        (folder / name).chmod(0o6777)
    code = """
fd = os.open("written", os.O_WRONLY)
os.write(fd, b"x")
os.close(fd)
os.close(os.open("cut", os.O_WRONLY | os.O_TRUNC))
"""
    as_nobody(code, folder)
    os.chown(folder / "given", 2, 2)
    for name in ("written", "cut", "given"):
        assert not (folder / name).stat().st_mode & (stat.S_ISUID | stat.S_ISGID), name


def a_time_has_nanoseconds(folder):
    (folder / "f").touch()
    os.utime(folder / "f", ns=(1_234_567_890_123_456_789, 987_654_321_123_456_789))
    known = (folder / "f").stat()
    assert (known.st_atime_ns, known.st_mtime_ns) == (1_234_567_890_123_456_789, 987_654_321_123_456_789)


def a_time_may_be_after_2106_and_before_1970(folder):
    (folder / "f").touch()
    late, early = 7_000_000_000 * 10**9 + 1, -1_000_000_000 * 10**9
    os.utime(folder / "f", ns=(late, late))
    assert (folder / "f").stat().st_mtime_ns == late
    os.utime(folder / "f", ns=(early, early))
    assert (folder / "f").stat().st_mtime_ns == early


def a_time_of_the_last_write_moves_on(folder):
    (folder / "f").write_bytes(b"1")
    os.utime(folder / "f", ns=(1, 1))
    with open(folder / "f", "r+b") as file:
        file.write(b"2")
    assert (folder / "f").stat().st_mtime_ns > 10**18
    os.utime(folder / "f", ns=(1, 1))
    os.truncate(folder / "f", 0)
    assert (folder / "f").stat().st_mtime_ns > 10**18


def a_time_of_the_last_change_moves_on(folder):
    (folder / "f").write_bytes(b"1")
    os.utime(folder / "f", ns=(1, 1))
    steps = [
        lambda: (folder / "f").chmod(0o600),
        lambda: os.chown(folder / "f", 1, 1),
        lambda: os.link(folder / "f", folder / "g"),
        lambda: os.rename(folder / "f", folder / "h"),
        lambda: os.setxattr(folder / "g", "user.a", b"1"),
        (folder / "h").unlink,
    ]
    last = (folder / "f").stat().st_ctime_ns
    assert last > 10**18
    for step in steps:
        step()
        name = next(each for each in ("f", "g", "h") if (folder / each).exists())
        changed = (folder / name).stat().st_ctime_ns
        assert changed >= last
        last = changed
    assert (folder / "g").stat().st_mtime_ns == 1


def a_time_may_be_set_to_now_by_who_may_write(folder):
    folder.chmod(0o755)
    (folder / "f").touch()
    (folder / "f").chmod(0o666)
    os.utime(folder / "f", ns=(1, 1))
    code = """
os.utime("f")
try:
    os.utime("f", (1, 1))
except PermissionError:
    print("refused")
"""
    assert as_nobody(code, folder) == "refused"
    assert (folder / "f").stat().st_mtime_ns > 10**18


def an_attribute_of_one_s_own_is_kept(folder):
    (folder / "f").touch()
    (folder / "d").mkdir()
    for path in (folder / "f", folder / "d"):
        os.setxattr(path, "user.one", b"\0binary\xff" * 10)
        os.setxattr(path, "user.empty", b"")
        os.setxattr(path, "user.one", b"replaced", os.XATTR_REPLACE)
        assert os.getxattr(path, "user.one") == b"replaced"
        assert sorted(os.listxattr(path)) == ["user.empty", "user.one"]
        with refused(errno.EEXIST):
            os.setxattr(path, "user.one", b"", os.XATTR_CREATE)
        with refused(errno.ENODATA):
            os.setxattr(path, "user.two", b"", os.XATTR_REPLACE)
        os.removexattr(path, "user.one")
        for call in (os.getxattr, os.removexattr):
            with refused(errno.ENODATA):
                call(path, "user.one")


def an_attribute_of_the_host_is_kept(folder):
    (folder / "f").touch()
    os.setxattr(folder / "f", "trusted.x", b"1")
    assert os.getxattr(folder / "f", "trusted.x") == b"1"
    assert os.listxattr(folder / "f") == ["trusted.x"]


def a_fifo_a_socket_and_a_device_may_be_made(folder):
    os.mkfifo(folder / "fifo", 0o640)
    assert stat.S_ISFIFO((folder / "fifo").stat().st_mode)
    reader = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(folder / "fifo", os.O_WRONLY)
    try:
        os.write(writer, b"through")
        assert os.read(reader, 9) == b"through"
    finally:
        os.close(reader)
        os.close(writer)
    fd = os.open(folder, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{fd}/s")
    finally:
        os.close(fd)
    assert stat.S_ISSOCK((folder / "s").stat().st_mode)
    os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert (folder / "null").stat().st_rdev == os.makedev(1, 3)


def a_number_of_a_file_is_its_own(folder):
    for i in range(50):
        (folder / str(i)).touch()
    assert len({each.stat().st_ino for each in folder.iterdir()}) == 50


def a_whole_says_how_large_it_is(folder):
    known = os.statvfs(folder)
    assert known.f_blocks > 0
    assert 0 <= known.f_bavail <= known.f_bfree <= known.f_blocks
    assert known.f_namemax == 255


# Memory


def a_mapping_is_the_file(folder):
    (folder / "f").write_bytes(bytes(300_000))
    with open(folder / "f", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[1000:1005] = b"hello"
        memory[250_000:250_005] = b"world"
        memory.flush()
        assert os.pread(file.fileno(), 5, 1000) == b"hello"
        os.pwrite(file.fileno(), b"there", 1000)
        assert memory[1000:1005] == b"there"
    data = (folder / "f").read_bytes()
    assert data[250_000:250_005] == b"world"


def a_mapping_that_is_private_changes_nothing(folder):
    (folder / "f").write_bytes(b"x" * 8192)
    with open(folder / "f", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as memory:
        memory[:5] = b"yyyyy"
    assert (folder / "f").read_bytes() == b"x" * 8192


def a_mapping_is_shared_with_other_processes(folder):
    (folder / "f").write_bytes(bytes(8192))
    with open(folder / "f", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        code = "import mmap\nm = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 0)\nm[:5] = b'other'"
        in_another_process(code, folder / "f")
        assert memory[:5] == b"other"


def a_program_runs_from_it(folder):
    (folder / "run").write_text("#!/bin/sh\necho ran\n")
    (folder / "run").chmod(0o755)
    assert subprocess.run([folder / "run"], capture_output=True, check=True).stdout == b"ran\n"


# Locks


def a_lock_of_a_file_keeps_others_out(folder):
    code = """
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("got")
except BlockingIOError:
    print("locked")
"""
    with open(folder / "f", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert in_another_process(code, folder / "f") == "locked"
        fcntl.flock(file, fcntl.LOCK_UN)
        assert in_another_process(code, folder / "f") == "got"


def a_lock_of_a_range_keeps_others_out_of_it(folder):
    code = """
fd = os.open(sys.argv[1], os.O_RDWR)
for start in (0, 50, 100):
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, start)
        print("got")
    except OSError:
        print("locked")
"""
    with open(folder / "f", "wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 20, 45)
        assert in_another_process(code, folder / "f").split() == ["got", "locked", "got"]


def a_lock_ends_with_its_process(folder):
    (folder / "f").touch()
    in_another_process("fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)", folder / "f")
    with open(folder / "f", "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# At once


def a_file_is_made_by_one_of_many(folder):
    made, start = [], threading.Barrier(8)

    def make(i):
        start.wait()
        try:
            os.close(os.open(folder / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            made.append(i)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=make, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def a_file_has_the_blocks_of_all_who_write_to_it(folder):
    size, count = 50_000, 4
    fd = os.open(folder / "f", os.O_CREAT | os.O_RDWR)

    def write(i):
        for at in range(0, size, 5000):
            os.pwrite(fd, bytes([65 + i]) * 5000, i * size + at)

    try:
        threads = [threading.Thread(target=write, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert os.pread(fd, size * count + 1, 0) == b"".join(bytes([65 + i]) * size for i in range(count))
    finally:
        os.close(fd)
