"""A node for tests of the watch: its disks, a look at a time, and ways to pull a disk out and put it back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import file_systems

from statehold_zos.disks import DiskModule
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config, DiskInfo, EventKind, PoolEvent, PoolInfo, PoolState
from statehold_zos.watch import Watch

LIMIT = 120.0
_SET, _GET = 0x4C04, 0x4C05
_SIZE_LIMIT = 32


@attrs.define
class Node:
    """A node with its disks prepared and mounted."""

    config: Config
    ledger: Ledger
    disks: DiskModule
    watch: Watch
    events: list[PoolEvent] = attrs.field(factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.disks.devices)

    def info(self, name: str) -> DiskInfo:
        return next(info for info in self.disks.scan() if info.name == name)

    def pool_of(self, name: str) -> PoolInfo:
        return next(pool for pool in self.disks.pools() if name in pool.disks)

    def look(self) -> list[tuple[EventKind, str]]:
        """Look once; return what happened, with the names of disks, and "pool" for a whole pool."""
        events = self.watch.look()
        self.events += events
        return [(event.kind, event.disk or "pool") for event in events]

    def look_until(self, done: Callable[[], bool], what: str) -> list[tuple[EventKind, str]]:
        """Look again and again until something is so."""
        seen, end = [], time.monotonic() + LIMIT
        while True:
            seen += self.look()
            if done():
                return seen
            assert time.monotonic() < end, f"{what}; now {self.disks.pools()}, {self.disks.scan()}"
            time.sleep(0.1)

    def until(self, state: PoolState, pool: str) -> list[tuple[EventKind, str]]:
        return self.look_until(lambda: self.disks.pool(pool).state is state, f"{pool} is never {state}")


@contextlib.contextmanager
def node_on(config: Config, *, prepare: bool = True) -> Iterator[Node]:
    """Yield a node; with its pools made of all its disks."""
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(Ledger(config.folder))
        disks = DiskModule(config, ledger)
        if prepare:
            made = disks.prepare(tokens=disks.plan().tokens)
            assert all(pool.state is PoolState.READY for pool in made), made
        else:
            disks.start()
        watch = Watch(config, disks, ledger)
        stack.callback(watch.stop)
        yield Node(config, ledger, disks, watch)


def pull(node: Node, name: str) -> None:
    """Pull a disk that is in use: each read and each write of it fails from now on."""
    _limit(node, name, 4096)


def pull_partly(node: Node, name: str) -> None:
    """Let a disk fail: what is in its first quarter can be read and written, the rest cannot."""
    _limit(node, name, node.disks.devices[name].size // 4)


def put_back(node: Node, name: str) -> None:
    """Put a disk back, with all that is on it."""
    _limit(node, name, 0)


def _limit(node: Node, name: str, size: int) -> None:
    """Let the loop device of an image end after *size* bytes, 0 for where the image ends."""
    held = os.open(node.disks.devices[name].find(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = bytearray(232)
        fcntl.ioctl(held, _GET, status)
        struct.pack_into("<Q", status, _SIZE_LIMIT, size)
        fcntl.ioctl(held, _SET, bytes(status))
    finally:
        os.close(held)


def write(file: Path, data: bytes) -> None:
    """Write a file through to the disks, as far as they take it."""
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        with contextlib.suppress(OSError):
            os.fsync(out.fileno())


def forget_memory(file: Path) -> None:
    """Let the next read of a file come from its disks."""
    held = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(held, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(held)


def space(node: Node) -> Path:
    """Return a folder in the only pool, a subvolume as those of spaces are."""
    (pool,) = node.disks.pools()
    file_systems.run("btrfs", "subvolume", "create", pool.path / "space")
    return pool.path / "space"


def contents(file: Path) -> bytes:
    """Return what the disks have of a file."""
    forget_memory(file)
    return file.read_bytes()
