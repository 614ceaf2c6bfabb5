# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH112, PTH113, PTH114, PTH115, PTH120, PTH208, PTH211
"""Random operations, done to a filesystem of ours and to the host's, which must agree."""

from __future__ import annotations

import errno
import os
import random
import stat
from pathlib import Path

from statehold_qsfs.files import BLOCK, FileSystem

NAMES = ["a", "b", "c", "d\udcff", "é" * 5]
SIZES = [0, 1, 100, 4000, 4096, 4097, 60_000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 77]
#: What POSIX lets a system choose between.
SAME = {errno.ENOTEMPTY: errno.EEXIST}


class Pair:
    """The same in both: *files*, and a folder of the host."""

    def __init__(self, files: FileSystem, folder: Path, seed: int) -> None:
        self.files = files
        self.folder = folder
        self.random = random.Random(seed)
        self.opened: list[tuple[int, int]] = []
        self.log: list[str] = []

    def step(self) -> None:
        name = self.random.choices(
            [
                "create", "write", "read", "cut", "unlink", "mkdir", "rmdir", "rename", "link", "symlink",
                "open", "release", "write_open", "read_open", "cut_open", "chmod", "stat", "list", "punch",
            ],
            [3, 12, 6, 5, 3, 3, 2, 5, 3, 2, 4, 2, 9, 7, 3, 1, 2, 1, 3],
        )[0]  # fmt: skip
        getattr(self, name)()

    def path(self) -> str:
        depth = self.random.choice([1, 1, 1, 2, 2, 3])
        return "/" + "/".join(self.random.choice(NAMES) for _ in range(depth))

    def host(self, path: str) -> str:
        return str(self.folder) + path

    def both(self, what: str, ours: object, theirs: object) -> object:
        self.log.append(what)
        results = []
        for act in (ours, theirs):
            try:
                results.append(act())
            except OSError as error:
                results.append(("refused", SAME.get(error.errno, error.errno)))
        assert results[0] == results[1], f"{what}: ours {results[0]!r:.200}, theirs {results[1]!r:.200}"
        return results[0]

    def data(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def range(self) -> tuple[int, int]:
        offset = self.random.choice([0, 0, 1, 4096, 10_000, BLOCK - 10, BLOCK, 2 * BLOCK - 1, 4 * BLOCK])
        size = self.random.choice([1, 10, 512, 4096, 4096, 4096, 5000, 40_000, BLOCK, 2 * BLOCK])
        return offset + 4096 * self.random.randrange(8), size

    # Names

    def create(self) -> None:
        path, flags = self.path(), os.O_RDWR | self.random.choice([0, 0, os.O_EXCL])

        def ours() -> None:
            self.files.release(self.files.create(path, flags, 0o640))

        def theirs() -> None:
            os.close(os.open(self.host(path), flags | os.O_CREAT | os.O_NOFOLLOW, 0o640))

        if not self.is_link(path):
            self.both(f"create {path} {flags}", ours, theirs)

    def is_link(self, path: str) -> bool:
        """Whether a symbolic link is on the way, which the host follows."""
        parts = path.strip("/").split("/")
        return any(os.path.islink(self.host("/" + "/".join(parts[: i + 1]))) for i in range(len(parts)))

    def unlink(self) -> None:
        path = self.path()
        if not self.is_link(os.path.dirname(path)):
            self.both(f"unlink {path}", lambda: self.files.unlink(path), lambda: os.unlink(self.host(path)))

    def mkdir(self) -> None:
        path = self.path()

        def ours() -> None:
            self.files.mkdir(path, 0o750)

        if not self.is_link(path):
            self.both(f"mkdir {path}", ours, lambda: os.mkdir(self.host(path), 0o750))

    def rmdir(self) -> None:
        path = self.path()
        if not self.is_link(path):
            self.both(f"rmdir {path}", lambda: self.files.rmdir(path), lambda: os.rmdir(self.host(path)))

    def rename(self) -> None:
        old, new = self.path(), self.path()
        if self.is_link(os.path.dirname(old)) or self.is_link(os.path.dirname(new)):
            return
        if new.startswith(old + "/") or old.startswith(new + "/"):
            return  # which of several reasons is given differs
        self.both(
            f"rename {old} {new}",
            lambda: self.files.rename(old, new),
            lambda: os.rename(self.host(old), self.host(new)),
        )

    def link(self) -> None:
        old, new = self.path(), self.path()

        def ours() -> None:
            self.files.link(old, new)

        if not self.is_link(old) and not self.is_link(new) and not os.path.isdir(self.host(old)):
            self.both(f"link {old} {new}", ours, lambda: os.link(self.host(old), self.host(new)))

    def symlink(self) -> None:
        path, target = self.path(), "x" * self.random.choice([1, 100, 4095])

        def ours() -> str:
            self.files.symlink(path, target)
            return self.files.readlink(path)

        def theirs() -> str:
            os.symlink(target, self.host(path))
            return os.readlink(self.host(path))

        if not self.is_link(path):
            self.both(f"symlink {path}", ours, theirs)

    def chmod(self) -> None:
        path, mode = self.path(), self.random.randrange(0o1000)
        if not self.is_link(path):
            self.both(
                f"chmod {path}", lambda: self.files.chmod(path, mode), lambda: os.chmod(self.host(path), mode)
            )

    def stat(self) -> None:
        path = self.path()

        def ours() -> tuple[int, ...]:
            known = self.files.getattr(path)
            return known.mode, 0 if stat.S_ISDIR(known.mode) else known.nlink, self.size(known)

        def theirs() -> tuple[int, ...]:
            known = os.lstat(self.host(path))
            size = 0 if stat.S_ISDIR(known.st_mode) else known.st_size
            return known.st_mode, 0 if stat.S_ISDIR(known.st_mode) else known.st_nlink, size

        if not self.is_link(os.path.dirname(path)):
            self.both(f"stat {path}", ours, theirs)

    @staticmethod
    def size(known: object) -> int:
        return 0 if stat.S_ISDIR(known.mode) else known.size

    def list(self) -> None:
        path = os.path.dirname(self.path())
        if not self.is_link(path):
            self.both(
                f"list {path}",
                lambda: sorted(entry.name for entry in self.files.list(path)),
                lambda: sorted(os.listdir(self.host(path))),
            )

    # Contents, by path

    def file(self) -> str | None:
        path = self.path()
        return path if os.path.isfile(self.host(path)) and not self.is_link(path) else None

    def write(self) -> None:
        path = self.file()
        if path is not None:
            handles = self.files.open(path, os.O_RDWR), os.open(self.host(path), os.O_RDWR)
            self.write_to(*handles)
            self.files.release(handles[0])
            os.close(handles[1])

    def read(self) -> None:
        path = self.file()
        if path is not None:
            handles = self.files.open(path, os.O_RDONLY), os.open(self.host(path), os.O_RDONLY)
            self.read_from(*handles)
            self.files.release(handles[0])
            os.close(handles[1])

    def cut(self) -> None:
        path, size = self.file(), self.random.choice(SIZES)
        if path is not None:
            self.both(
                f"truncate {path} {size}",
                lambda: self.files.truncate(path, size),
                lambda: os.truncate(self.host(path), size),
            )

    # Contents, by handle

    def open(self) -> None:
        path = self.file()
        if path is not None and len(self.opened) < 10:
            flags = os.O_RDWR | self.random.choice([0, 0, 0, os.O_TRUNC])
            self.log.append(f"open {path} {flags}")
            self.opened.append((self.files.open(path, flags), os.open(self.host(path), flags)))

    def release(self) -> None:
        if self.opened:
            ours, theirs = self.opened.pop(self.random.randrange(len(self.opened)))
            self.files.release(ours)
            os.close(theirs)

    def release_all(self) -> None:
        while self.opened:
            self.release()

    def write_open(self) -> None:
        if self.opened:
            self.write_to(*self.random.choice(self.opened))

    def read_open(self) -> None:
        if self.opened:
            self.read_from(*self.random.choice(self.opened))

    def cut_open(self) -> None:
        if self.opened:
            (ours, theirs), size = self.random.choice(self.opened), self.random.choice(SIZES)
            self.both(
                f"ftruncate {ours} {size}",
                lambda: self.files.ftruncate(ours, size),
                lambda: os.ftruncate(theirs, size),
            )

    def punch(self) -> None:
        if self.opened:
            ours, theirs = self.random.choice(self.opened)
            offset, size = self.range()
            end = min(offset + size, os.fstat(theirs).st_size)
            mode = self.random.choice([3, 17])

            def host() -> None:
                if offset < end:
                    os.pwrite(theirs, bytes(end - offset), offset)

            self.both(
                f"punch {ours} {mode} {offset} {size}",
                lambda: self.files.allocate(ours, mode, offset, size),
                host,
            )

    def write_to(self, ours: int, theirs: int) -> None:
        offset, size = self.range()
        data = self.data(size)
        self.both(
            f"write {ours} {offset} {size}",
            lambda: self.files.write(ours, data, offset),
            lambda: os.pwrite(theirs, data, offset),
        )

    def read_from(self, ours: int, theirs: int) -> None:
        offset, size = self.range()
        self.both(
            f"read {ours} {offset} {size}",
            lambda: self.files.read(ours, size, offset),
            lambda: os.pread(theirs, size, offset),
        )

    # All

    def compare(self) -> None:
        """Look at everything."""
        todo = ["/"]
        while todo:
            path = todo.pop()
            names = sorted(entry.name for entry in self.files.list(path))
            assert names == sorted(os.listdir(self.host(path)))
            for name in names:
                self.compare_one(f"{path.rstrip('/')}/{name}", todo)
        for ours, theirs in self.opened:
            size = os.fstat(theirs).st_size
            assert self.files.read(ours, size + 1, 0) == os.pread(theirs, size, 0)

    def compare_one(self, path: str, todo: list[str]) -> None:
        ours, theirs = self.files.getattr(path), os.lstat(self.host(path))
        assert ours.mode == theirs.st_mode
        if stat.S_ISDIR(ours.mode):
            folders = [entry for entry in os.scandir(self.host(path)) if entry.is_dir(follow_symlinks=False)]
            assert ours.nlink == 2 + len(folders)
            todo.append(path)
            return
        assert (ours.size, ours.nlink) == (theirs.st_size, theirs.st_nlink)
        if stat.S_ISREG(ours.mode):
            handle = self.files.open(path, os.O_RDONLY)
            assert self.files.read(handle, ours.size + 1, 0) == Path(self.host(path)).read_bytes()
            self.files.release(handle)
