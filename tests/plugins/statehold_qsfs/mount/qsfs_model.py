"""Random operations on files, and what they must do."""

from __future__ import annotations

import mmap
import os
import random
from pathlib import Path

from qsfs_posix import fallocate

_LARGEST = 600_000
_NAMES = [f"file-{i}" for i in range(6)]


class Model:
    """Some files below a folder: as the filesystem has them, and as they must be."""

    def __init__(self, folder: Path, seed: int):
        self._folder, self._random = folder, random.Random(seed)
        self._files: dict[str, bytearray] = {}
        self._open: dict[str, int] = {}
        self.log: list[str] = []

    def step(self) -> None:
        """Do one thing at random."""
        name = self._random.choice(_NAMES)
        if name not in self._files:
            self._make(name)
            return
        steps = [
            *(self._write, self._write, self._write, self._read, self._read, self._truncate, self._append),
            *(self._write_mapped, self._read_mapped, self._punch, self._allocate, self._reopen, self._sync),
            *(self._rename, self._link, self._unlink, self._forget_pages, self._stat),
        ]
        step = self._random.choice(steps)
        self.log.append(f"{step.__name__} {name}")
        step(name)

    def check(self) -> None:
        """Compare all."""
        assert sorted(os.listdir(self._folder)) == sorted(self._files), self.log[-20:]
        for name, expected in self._files.items():
            self._same(name, (self._folder / name).read_bytes(), bytes(expected))

    def close(self) -> None:
        """Let go of all files, so that it can be unmounted."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _fd(self, name: str) -> int:
        if name not in self._open:
            self._open[name] = os.open(self._folder / name, os.O_RDWR)
        return self._open[name]

    def _same(self, name: str, found: bytes, expected: bytes) -> None:
        if found != expected:
            pairs = enumerate(zip(found, expected, strict=False))
            where = next((i for i, (a, b) in pairs if a != b), min(len(found), len(expected)))
            sizes = f"{len(found)} bytes, expected {len(expected)}"
            raise AssertionError(f"{name}: {sizes}, other ones from {where} on: {self.log[-30:]}")

    def _at(self, name: str) -> int:
        return self._random.randrange(min(len(self._files[name]) * 5 // 4 + 1, _LARGEST))

    def _size(self) -> int:
        return self._random.choice([1, 100, 511, 4096, 5000, 20_000, 140_000])

    def _make(self, name: str) -> None:
        self.log.append(f"make {name}")
        self._open[name] = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self._files[name] = bytearray()

    def _write(self, name: str) -> None:
        at, data = self._at(name), self._random.randbytes(self._size())
        assert os.pwrite(self._fd(name), data, at) == len(data)
        held = self._files[name]
        held += bytes(max(at - len(held), 0))
        held[at : at + len(data)] = data

    def _append(self, name: str) -> None:
        if len(self._files[name]) > _LARGEST:
            return
        data = self._random.randbytes(self._size())
        with open(self._folder / name, "ab") as file:
            file.write(data)
        self._files[name] += data

    def _read(self, name: str) -> None:
        at, size = self._at(name), self._size()
        self._same(name, os.pread(self._fd(name), size, at), bytes(self._files[name][at : at + size]))

    def _write_mapped(self, name: str) -> None:
        held = self._files[name]
        if not held:
            return
        at = self._random.randrange(len(held))
        data = self._random.randbytes(min(self._size(), len(held) - at))
        with mmap.mmap(self._fd(name), len(held)) as memory:
            memory[at : at + len(data)] = data
        held[at : at + len(data)] = data

    def _read_mapped(self, name: str) -> None:
        held = self._files[name]
        if held:
            with mmap.mmap(self._fd(name), len(held)) as memory:
                self._same(name, memory[:], bytes(held))

    def _truncate(self, name: str) -> None:
        size, held = self._at(name), self._files[name]
        if self._random.random() < 0.5:
            os.truncate(self._folder / name, size)
        else:
            os.ftruncate(self._fd(name), size)
        del held[size:]
        held += bytes(size - len(held))

    def _punch(self, name: str) -> None:
        held, at, size = self._files[name], self._at(name), self._size()
        fallocate(self._fd(name), 3, at, size)
        end = min(at + size, len(held))
        if end > at:
            held[at:end] = bytes(end - at)

    def _allocate(self, name: str) -> None:
        held, at, size = self._files[name], self._at(name), self._size()
        fallocate(self._fd(name), 0, at, size)
        held += bytes(max(at + size - len(held), 0))

    def _reopen(self, name: str) -> None:
        if name in self._open:
            os.close(self._open.pop(name))

    def _sync(self, name: str) -> None:
        os.fsync(self._fd(name))

    def _stat(self, name: str) -> None:
        for known in (os.fstat(self._fd(name)), os.stat(self._folder / name)):
            assert known.st_size == len(self._files[name]), self.log[-30:]

    def _forget_pages(self, name: str) -> None:
        os.fsync(self._fd(name))
        os.posix_fadvise(self._fd(name), 0, 0, os.POSIX_FADV_DONTNEED)

    def _rename(self, name: str) -> None:
        other = self._random.choice(_NAMES)
        os.rename(self._folder / name, self._folder / other)
        if other == name or self._files.get(other) is self._files[name]:
            return  # two names of one file both stay
        if other in self._open:
            os.close(self._open.pop(other))
        self._files[other] = self._files.pop(name)
        if name in self._open:
            self._open[other] = self._open.pop(name)

    def _link(self, name: str) -> None:
        other = self._random.choice(_NAMES)
        if other not in self._files:
            os.link(self._folder / name, self._folder / other)
            self._files[other] = self._files[name]

    def _unlink(self, name: str) -> None:
        os.unlink(self._folder / name)
        held = self._files.pop(name)
        if name in self._open:  # without a name it can still be read
            self._same(name, os.pread(self._open[name], len(held) + 1, 0), bytes(held))
            os.close(self._open.pop(name))
