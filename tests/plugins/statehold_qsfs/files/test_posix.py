from __future__ import annotations

import errno
import os
import stat

import pytest
from qsfs_stores_of_files import Store, read, write

from statehold_qsfs.files import BLOCK, FileSystem
from statehold_qsfs.files._buffers import overlay
from statehold_qsfs.files._layout import block_key, decode_page, page_key
from statehold_qsfs.files._nodes import Page


def refused(code: int) -> pytest.RaisesExc[OSError]:
    return pytest.raises(OSError, check=lambda error: error.errno == code)


def test_a_directory_that_is_not_empty_is_not_removed(files: FileSystem) -> None:
    files.mkdir("/d", 0o755)
    write(files, "/d/file", b"here")
    with refused(errno.ENOTEMPTY):
        files.rmdir("/d")
    assert read(files, "/d/file") == b"here"


def test_a_directory_that_is_not_empty_is_not_replaced(files: FileSystem) -> None:
    files.mkdir("/one", 0o755)
    files.mkdir("/two", 0o755)
    write(files, "/two/file", b"here")
    with refused(errno.ENOTEMPTY):
        files.rename("/one", "/two")
    files.unlink("/two/file")
    files.rename("/one", "/two")
    assert [entry.name for entry in files.list("/")] == ["two"]
    assert files.getattr("/").nlink == 3


@pytest.mark.parametrize("size", [100, 5000, BLOCK + 100, 3 * BLOCK])
@pytest.mark.parametrize("synced", [False, True])
def test_a_file_that_was_cut_and_grows_has_zeros(files: FileSystem, size: int, synced: bool) -> None:
    for cut in (0, 1, size // 2, size - 1):
        write(files, "/file", b"x" * size)
        if synced:
            files.sync()
        files.truncate("/file", cut)
        files.truncate("/file", size + 10)
        assert read(files, "/file") == b"x" * cut + bytes(size + 10 - cut)


@pytest.mark.parametrize("size", [100, 5000, 2 * BLOCK])
def test_a_file_that_was_emptied_by_opening_and_grows_has_zeros(files: FileSystem, size: int) -> None:
    write(files, "/file", b"x" * size)
    files.sync()
    handle = files.open("/file", os.O_RDWR | os.O_TRUNC)
    files.write(handle, b"new", size)
    assert files.read(handle, 2 * size, 0) == bytes(size) + b"new"


def test_a_file_without_a_name_lives_as_long_as_it_is_open(store: Store, files: FileSystem) -> None:
    handle = files.create("/file", os.O_RDWR, 0o600)
    files.write(handle, b"a" * BLOCK, 0)
    files.unlink("/file")
    with refused(errno.ENOENT):
        files.getattr("/file")
    files.write(handle, b"b", BLOCK)
    files.sync()
    assert files.fgetattr(handle).nlink == 0
    assert files.read(handle, 2 * BLOCK, 0) == b"a" * BLOCK + b"b"
    assert files.statistics().unlinked == 1
    files.release(handle)
    assert (files.statistics().unlinked, files.statistics().used, files.statistics().files) == (0, 0, 1)


def test_files_without_a_name_that_were_open_at_a_crash_go_at_the_next_start(store: Store) -> None:
    files = store.open()
    handle = files.create("/file", os.O_RDWR, 0o600)
    files.write(handle, b"a" * 3 * BLOCK, 0)
    files.unlink("/file")
    files.sync()
    files = store.crash()
    files.sync()
    found = files.statistics()
    assert (found.files, found.used, found.unlinked) == (1, 0, 0)
    files = store.reopen()
    report = files.check()
    assert (report.blocks, report.unused_blocks, report.problems) == (0, 0, [])


def test_a_directory_counts_the_directories_in_it(files: FileSystem) -> None:
    files.mkdir("/d", 0o755)
    assert (files.getattr("/").nlink, files.getattr("/d").nlink) == (3, 2)
    files.mkdir("/d/e", 0o755)
    write(files, "/d/file", b"")
    assert files.getattr("/d").nlink == 3
    files.rename("/d/e", "/e")
    assert (files.getattr("/").nlink, files.getattr("/d").nlink) == (4, 2)
    files.rmdir("/e")
    assert files.getattr("/").nlink == 3


def test_owners_have_32_bits(store: Store) -> None:
    files = store.open()
    handle = files.create("/file", os.O_RDWR, 0o600, uid=100_000, gid=4_000_000_000)
    files = store.reopen()
    assert (files.getattr("/file").uid, files.getattr("/file").gid) == (100_000, 4_000_000_000)
    files.chown("/file", -1, 70_000)
    assert (files.getattr("/file").uid, files.getattr("/file").gid) == (100_000, 70_000)
    assert handle


def test_times_are_kept_to_the_nanosecond_and_beyond_2106(store: Store) -> None:
    files = store.open()
    write(files, "/file", b"")
    times = 1_700_000_000_123_456_789, 6_000_000_000_999_999_999
    files.utimens("/file", *times)
    files = store.reopen()
    known = files.getattr("/file")
    assert (known.atime, known.mtime) == times
    files.utimens("/file", -5, None)
    assert files.getattr("/file").atime == -5


def test_a_write_sets_the_times_of_writing_and_changing(store: Store) -> None:
    now = [1000]
    files = store.open(clock=lambda: now[0])
    handle = files.create("/file", os.O_RDWR, 0o600)
    now[0] = 2000
    files.write(handle, b"x", 0)
    known = files.fgetattr(handle)
    assert (known.birth, known.atime, known.mtime, known.ctime) == (1000, 1000, 2000, 2000)
    now[0] = 3000
    files.read(handle, 1, 0)
    assert files.fgetattr(handle).atime == 3000  # read after it was written: told
    now[0] = 4000
    files.read(handle, 1, 0)
    assert files.fgetattr(handle).atime == 3000  # once is enough
    files.chmod("/file", 0o644)
    known = files.fgetattr(handle)
    assert (known.mtime, known.ctime) == (2000, 4000)


def test_making_and_removing_names_sets_the_times_of_the_directory(store: Store) -> None:
    now = [1000]
    files = store.open(clock=lambda: now[0])
    files.mkdir("/d", 0o755)
    for at, act in (
        (2000, lambda: write(files, "/d/a", b"")),
        (3000, lambda: files.rename("/d/a", "/d/b")),
        (4000, lambda: files.unlink("/d/b")),
    ):
        now[0] = at
        act()
        assert (files.getattr("/d").mtime, files.getattr("/d").ctime) == (at, at)


def test_extended_attributes_are_kept(store: Store) -> None:
    files = store.open()
    write(files, "/file", b"")
    files.setxattr("/file", "user.a", b"1\0\xff")
    files.setxattr("/file", "user.empty", b"")
    files = store.reopen()
    assert files.getxattr("/file", "user.a") == b"1\0\xff"
    assert sorted(files.listxattr("/file")) == ["user.a", "user.empty"]
    with refused(errno.EEXIST):
        files.setxattr("/file", "user.a", b"", flags=1)
    with refused(errno.ENODATA):
        files.setxattr("/file", "user.b", b"", flags=2)
    with refused(errno.E2BIG):
        files.setxattr("/file", "user.b", bytes(65537))
    with refused(errno.EOPNOTSUPP):
        files.setxattr("/file", "system.posix_acl_access", b"")
    files.removexattr("/file", "user.a")
    with refused(errno.ENODATA):
        files.getxattr("/file", "user.a")
    with refused(errno.ENODATA):
        files.removexattr("/file", "user.a")
    for i in range(3):
        files.setxattr("/file", f"user.{i}", bytes(65536))
    with refused(errno.ENOSPC):
        files.setxattr("/file", "user.4", bytes(65536))


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFREG])
def test_fifos_sockets_and_devices_can_be_made(store: Store, kind: int) -> None:
    files = store.open()
    made = files.mknod("/it", kind | 0o640, rdev=0x1234)
    files = store.reopen()
    found = files.getattr("/it")
    assert (found.mode, found.rdev, found.ino) == (kind | 0o640, 0x1234, made.ino)
    files.unlink("/it")


def test_a_file_has_as_many_names_as_it_is_given(files: FileSystem) -> None:
    write(files, "/a", b"here")
    files.mkdir("/d", 0o755)
    assert files.link("/a", "/d/b").nlink == 2
    assert files.getattr("/a") == files.getattr("/d/b")
    files.unlink("/a")
    assert read(files, "/d/b") == b"here"
    assert files.getattr("/d/b").nlink == 1
    with refused(errno.EPERM):
        files.link("/d", "/e")
    with refused(errno.EEXIST):
        files.link("/d/b", "/d/b")


def test_renaming_one_name_of_a_file_to_another_does_nothing(files: FileSystem) -> None:
    write(files, "/a", b"here")
    files.link("/a", "/b")
    files.rename("/a", "/b")
    assert sorted(entry.name for entry in files.list("/")) == ["a", "b"]


def test_renaming_replaces_exchanges_or_refuses(files: FileSystem) -> None:
    write(files, "/a", b"a")
    write(files, "/b", b"b")
    files.mkdir("/d", 0o755)
    with refused(errno.EEXIST):
        files.rename("/a", "/b", flags=1)
    files.rename("/a", "/b", flags=2)
    assert (read(files, "/a"), read(files, "/b")) == (b"b", b"a")
    files.rename("/d", "/a", flags=2)
    assert read(files, "/d") == b"b"
    assert files.list("/a") == []
    files.mkdir("/a/sub", 0o755)
    files.rename("/b", "/a/sub", flags=2)
    assert (files.getattr("/").nlink, files.getattr("/a").nlink) == (4, 2)
    with refused(errno.ENOENT):
        files.rename("/d", "/nowhere", flags=2)
    with refused(errno.EINVAL):
        files.rename("/d", "/e", flags=4)
    assert not files.check().problems


def test_a_directory_does_not_come_below_itself(files: FileSystem) -> None:
    files.mkdir("/a", 0o755)
    files.mkdir("/a/b", 0o755)
    for new in ("/a/b/c", "/a/c"):
        with refused(errno.EINVAL):
            files.rename("/a", new)
    write(files, "/file", b"")
    with refused(errno.EISDIR):
        files.rename("/file", "/a")
    with refused(errno.ENOTDIR):
        files.rename("/a", "/file")


def test_what_is_below_a_directory_moves_with_it(files: FileSystem) -> None:
    files.mkdir("/a", 0o755)
    files.mkdir("/a/b", 0o755)
    write(files, "/a/b/file", b"here")
    files.rename("/a", "/z")
    assert read(files, "/z/b/file") == b"here"
    with refused(errno.ENOENT):
        files.getattr("/a/b/file")


def test_a_directory_gives_its_group_to_what_is_made_in_it(files: FileSystem) -> None:
    files.mkdir("/d", 0o2755, gid=50)
    files.mkdir("/d/e", 0o755, gid=7)
    write(files, "/d/e/file", b"")
    assert (files.getattr("/d/e").gid, files.getattr("/d/e").mode) == (50, stat.S_IFDIR | 0o2755)
    assert files.getattr("/d/e/file").gid == 50


def test_names_have_up_to_255_bytes_which_may_be_any(store: Store) -> None:
    files = store.open()
    names = ["é" * 127, "\udcff\udcfe", "a" * 255, "space \n\t"]
    for name in names:
        write(files, f"/{name}", b"")
    with refused(errno.ENAMETOOLONG):
        files.mkdir("/" + "a" * 256, 0o755)
    with refused(errno.ENAMETOOLONG):
        files.getattr("/" + "a" * 256)
    with refused(errno.ENAMETOOLONG):
        files.symlink("/link", "a" * 4096)
    for name in (".", "..", "a\0b"):
        with refused(errno.EINVAL):
            files.mkdir(f"/{name}", 0o755)
    files = store.reopen()
    assert sorted(entry.name for entry in files.list("/")) == sorted(names)


def test_what_is_asked_of_the_wrong_kind_is_refused(files: FileSystem) -> None:
    write(files, "/file", b"here")
    files.mkdir("/d", 0o755)
    files.symlink("/link", "file")
    for code, act in (
        (errno.ENOTDIR, lambda: files.getattr("/file/below")),
        (errno.ENOTDIR, lambda: files.mkdir("/file/below", 0o755)),
        (errno.ENOTDIR, lambda: files.list("/file")),
        (errno.ENOTDIR, lambda: files.opendir("/file")),
        (errno.ENOTDIR, lambda: files.rmdir("/file")),
        (errno.EISDIR, lambda: files.unlink("/d")),
        (errno.EISDIR, lambda: files.open("/d", os.O_RDONLY)),
        (errno.EISDIR, lambda: files.truncate("/d", 0)),
        (errno.EINVAL, lambda: files.readlink("/file")),
        (errno.EINVAL, lambda: files.truncate("/link", 0)),
        (errno.EINVAL, lambda: files.truncate("/file", -1)),
        (errno.EINVAL, lambda: files.mknod("/x", stat.S_IFLNK | 0o644)),
        (errno.EEXIST, lambda: files.mkdir("/d", 0o755)),
        (errno.EEXIST, lambda: files.mkdir("/", 0o755)),
        (errno.EEXIST, lambda: files.create("/file", os.O_RDWR | os.O_EXCL, 0o600)),
        (errno.EBUSY, lambda: files.rmdir("/")),
        (errno.EBUSY, lambda: files.rename("/", "/x")),
        (errno.EFBIG, lambda: files.truncate("/file", 1 << 63)),
        (errno.EBADF, lambda: files.read(99, 1, 0)),
        (errno.EBADF, lambda: files.write(files.open("/file", os.O_RDONLY), b"x", 0)),
        (errno.EBADF, lambda: files.release(99)),
    ):
        with refused(code):
            act()
    assert read(files, "/file") == b"here"


def test_a_file_may_have_holes_of_any_size(store: Store) -> None:
    files = store.open()
    handle = files.create("/file", os.O_RDWR, 0o600)
    far = 1 << 60
    files.write(handle, b"start", 0)
    files.write(handle, b"end", far)
    files.fsync(handle)
    assert files.fgetattr(handle).size == far + 3
    assert files.fgetattr(handle).blocks < 10
    assert files.read(handle, 100, far - 10) == bytes(10) + b"end"
    assert files.read(handle, 10, 1 << 40) == bytes(10)
    assert files.seek(handle, 0, os.SEEK_HOLE) == BLOCK
    assert files.seek(handle, BLOCK, os.SEEK_DATA) == far
    assert files.seek(handle, far, os.SEEK_HOLE) == far + 3
    with refused(errno.ENXIO):
        files.seek(handle, far + 3, os.SEEK_DATA)
    files.truncate("/file", 3)
    assert read(store.reopen(), "/file") == b"sta"


def test_a_hole_can_be_made(files: FileSystem) -> None:
    handle = files.create("/file", os.O_RDWR, 0o600)
    files.write(handle, b"x" * 4 * BLOCK, 0)
    files.sync()
    before = files.statistics().used
    files.allocate(handle, 3, BLOCK - 10, 2 * BLOCK + 20)
    assert files.read(handle, 4 * BLOCK, 0) == b"x" * (BLOCK - 10) + bytes(2 * BLOCK + 20) + b"x" * (
        BLOCK - 10
    )
    assert files.statistics().used == before - 2 * BLOCK
    files.allocate(handle, 0, 0, 5 * BLOCK)
    assert files.fgetattr(handle).size == 5 * BLOCK
    files.allocate(handle, 1, 0, 9 * BLOCK)
    assert files.fgetattr(handle).size == 5 * BLOCK
    with refused(errno.EOPNOTSUPP):
        files.allocate(handle, 8, 0, 1)


def test_the_list_of_an_open_directory_stays_as_it_was(files: FileSystem) -> None:
    for i in range(300):
        write(files, f"/{i}", b"")
    handle = files.opendir("/")
    before = list(files.readdir(handle))
    for i in range(0, 300, 2):
        files.unlink(f"/{i}")
    assert files.readdir(handle) == before
    files.release(handle)
    assert len(files.list("/")) == 150


def test_a_large_directory_is_found_again_name_by_name(store: Store) -> None:
    files = store.open()
    numbers = {f"name {i}": files.mknod(f"/name {i}", 0o600).ino for i in range(3000)}
    files = store.reopen()
    assert {entry.name: entry.ino for entry in files.list("/")} == numbers
    for name in list(numbers)[::3]:
        files.unlink(f"/{name}")
        del numbers[name]
    files = store.reopen()
    assert {name: files.getattr(f"/{name}").ino for name in numbers} == numbers
    assert not files.check().problems


def test_files_take_no_more_than_the_quota(store: Store) -> None:
    files = store.open(quota=BLOCK, max_files=3)
    handle = files.create("/a", os.O_RDWR, 0o600)
    files.write(handle, b"x" * BLOCK, 0)
    with refused(errno.ENOSPC):
        files.write(handle, b"x", BLOCK)
    files.write(handle, b"y" * BLOCK, 0)  # what is there may be written anew
    files.truncate("/a", 10)
    files.write(handle, b"x" * 100, 10)
    found = files.statistics()
    assert (found.total, found.used, found.free) == (BLOCK, 110, BLOCK - 110)
    files.mkdir("/d", 0o755)
    assert files.statistics().free_files == 0
    with refused(errno.ENOSPC):
        files.mkdir("/e", 0o755)


def test_a_write_that_is_refused_has_written_nothing(store: Store) -> None:
    files = store.open(quota=2 * BLOCK)
    small = files.create("/small", os.O_RDWR, 0o600)
    files.write(small, b"s" * 4000, 0)
    large = files.create("/large", os.O_RDWR, 0o600)
    files.write(large, b"l" * 100, 0)
    for handle in (small, large):
        with refused(errno.ENOSPC):
            files.write(handle, b"x" * 2 * BLOCK, 50)
        files.ftruncate(handle, 3 * BLOCK)
    for _ in range(2):
        assert read(files, "/small") == b"s" * 4000 + bytes(3 * BLOCK - 4000)
        assert read(files, "/large") == b"l" * 100 + bytes(3 * BLOCK - 100)
        assert files.statistics().used == 4100
        assert not files.check(deep=True).problems
        files = store.reopen()


def test_numbers_of_files_are_never_given_again(store: Store) -> None:
    files = store.open()
    first = files.mknod("/a", 0o600).ino
    files.unlink("/a")
    files = store.reopen()
    assert files.mknod("/a", 0o600).ino > first


def test_nothing_is_done_after_it_was_closed(store: Store) -> None:
    files = store.open()
    write(files, "/a", b"")
    handle = files.open("/a", os.O_RDWR)
    files.close()
    files.close()
    for act in (
        lambda: files.getattr("/a"),
        lambda: files.mkdir("/b", 0o755),
        lambda: files.inodes.attributes(1),
        files.sync,
    ):
        with refused(errno.ESHUTDOWN):
            act()
    with refused(errno.EBADF):
        files.read(handle, 1, 0)


def test_one_engine_has_several_filesystems(store: Store, files: FileSystem) -> None:
    assert store.engine is not None
    with FileSystem(store.engine, name="second") as second:
        write(files, "/a", b"first" * 10_000)
        write(second, "/a", b"second" * 10_000)
        write(second, "/b", b"")
        assert read(files, "/a") == b"first" * 10_000
        assert [entry.name for entry in files.list("/")] == ["a"]
        assert not files.check(deep=True).problems
        assert not second.check(deep=True).problems


def test_blocks_have_numbers_of_64_bits() -> None:
    pieces, hidden = overlay((), 0, BLOCK, 1 << 40)
    pieces, hidden = overlay(pieces, 5, 10, (1 << 63) + 1)
    assert hidden == []
    page = Page(page_key(1 << 62, 1 << 40), [pieces, *[()] * 15])
    assert decode_page(page.payload()).blocks == [(0, BLOCK, 1 << 40, 5, 10, (1 << 63) + 1), *[()] * 15]
    assert block_key((1 << 63) + 1) == ((1 << 63) + 1).to_bytes(8, "little")


def test_what_is_written_is_seen_at_once_however_it_is_cut_into_pieces(files: FileSystem) -> None:
    handle = files.create("/file", os.O_RDWR, 0o600)
    expected = bytearray()
    for i in range(2000):
        piece = bytes([i % 256]) * (i % 300 + 1)
        files.write(handle, piece, len(expected))
        expected += piece
        if i % 500 == 77:
            assert files.read(handle, len(expected), 0) == expected
    for i in range(100):  # and over one another, from the end to the beginning
        at = len(expected) - 1000 - i * 700
        files.write(handle, bytes([i]) * 1000, at)
        expected[at : at + 1000] = bytes([i]) * 1000
    assert files.read(handle, len(expected) + 1, 0) == expected
    files.fsync(handle)
    assert files.read(handle, len(expected) + 1, 0) == expected
    target = memoryview(bytearray(5000))
    assert files.read_into(handle, target, 7) == 5000
    assert target == expected[7:5007]
    assert files.read_into(handle, target, len(expected) - 3) == 3
