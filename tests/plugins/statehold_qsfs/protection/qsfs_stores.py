from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from statehold_qsfs.protection import StoreChangedError, StoreError, StoreMissingError

LIMIT = 120


class MemoryStore:
    """A store in memory, of which tests say when it fails, or waits."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, bytes]] = {}
        self.lock = threading.Lock()
        self.down = False
        self.puts: list[str] = []
        self.tries = 0
        self.reads: list[tuple[str, int, int | None]] = []
        self.deletes: list[str] = []
        self.at_once = self.most_at_once = 0
        self.bad: set[str] = set()
        self.verified: list[str] = []
        self.before: Callable[[str, str], None] = lambda _what, _name: None
        self.after: Callable[[str, str], None] = lambda _what, _name: None

    def _check(self, what: str, name: str) -> None:
        self.before(what, name)
        if self.down:
            raise StoreError("the backends are down")

    def put(self, name: str, source: bytes | BinaryIO, *, expected: int | None = None) -> int:
        with self.lock:
            self.tries += 1
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            self._check("put", name)
            data = bytes(source) if isinstance(source, bytes) else source.read()
            with self.lock:
                generation, _ = self.objects.get(name, (0, b""))
                if expected is not None and expected != generation:
                    raise StoreChangedError(f"{name}: {generation} is there")
                self.objects[name] = generation + 1, data
                self.puts.append(name)
        finally:
            with self.lock:
                self.at_once -= 1
        self.after("put", name)
        return generation + 1

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        self._check("read", name)
        with self.lock:
            self.reads.append((name, offset, size))
            if name not in self.objects:
                raise StoreMissingError(f"there is no {name}")
            data = self.objects[name][1]
        return data[offset:] if size is None else data[offset : offset + size]

    def generation(self, name: str) -> int:
        self._check("generation", name)
        return self.objects.get(name, (0, b""))[0]

    def verify(self, name: str) -> bool:
        self._check("verify", name)
        self.verified.append(name)
        return name in self.objects and name not in self.bad

    def delete(self, name: str) -> None:
        self._check("delete", name)
        with self.lock:
            self.deletes.append(name)
            self.objects.pop(name, None)

    def names(self, prefix: str) -> Iterator[str]:
        self._check("names", prefix)
        with self.lock:
            found = [name for name in self.objects if name.startswith(prefix)]
        yield from found

    @property
    def size(self) -> int:
        with self.lock:
            return sum(len(data) for _, data in self.objects.values())


class FolderStore:
    """A store in a folder, for several processes, of which any may be killed at any moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, name: str) -> Path:
        return self.folder / name.replace("/", "%")

    def put(self, name: str, source: bytes | BinaryIO, *, expected: int | None = None) -> int:
        data = bytes(source) if isinstance(source, bytes) else source.read()
        with self._alone():
            generation = self.generation(name)
            if expected is not None and generation != expected:
                raise StoreChangedError(f"{name}: {generation} is there")
            new = self.folder / f".new-{threading.get_ident()}"
            new.write_bytes((generation + 1).to_bytes(8, "little") + data)
            new.rename(self._path(name))
        return generation + 1

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        try:
            with self._path(name).open("rb") as file:
                file.seek(8 + offset)
                return file.read() if size is None else file.read(size)
        except FileNotFoundError:
            raise StoreMissingError(f"there is no {name}") from None

    def generation(self, name: str) -> int:
        try:
            with self._path(name).open("rb") as file:
                return int.from_bytes(file.read(8), "little")
        except FileNotFoundError:
            return 0

    def verify(self, name: str) -> bool:
        return self.generation(name) > 0

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def names(self, prefix: str) -> Iterator[str]:
        start = prefix.replace("/", "%")
        yield from (p.name.replace("%", "/") for p in self.folder.iterdir() if p.name.startswith(start))
