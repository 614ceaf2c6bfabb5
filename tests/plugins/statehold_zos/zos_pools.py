"""Pools for tests of spaces: mounted already, of each kind, without the disks below them."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import debian
import file_systems

from statehold_quota import Accounting, Backend, Btrfs, LoopImage, Mode
from statehold_quota._btrfs import _ioctl
from statehold_zos.disks import PoolRecord
from statehold_zos.disks._records import FileSystem
from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskType, NotFoundError, Raid, ZosError
from statehold_zos.pools import StoragePools

MIB = 2**20
KINDS = ("simple", "qgroup", "images", "folder")
POOL = "pool"


class Land:
    """What pools stand on: folders, which may be away."""

    def __init__(self) -> None:
        self.pools: dict[str, tuple[Path, Backend, DiskType]] = {}
        self.away: set[str] = set()

    def put(self, pool: str, path: Path, backend: Backend, disk_type: DiskType = DiskType.SSD) -> None:
        """Add a pool."""
        self.pools[pool] = path, backend, disk_type

    def record(self, pool_id: str) -> PoolRecord:
        """Return what is kept about a pool."""
        if pool_id not in self.pools:
            raise NotFoundError(f"there is no pool {pool_id!r}")
        path, _, disk_type = self.pools[pool_id]
        return PoolRecord(
            id=pool_id,
            uuid="",
            type=disk_type,
            raid=Raid.SINGLE,
            disks=(),
            file_system=FileSystem.FOLDER,
            path=path,
        )

    def backend(self, pool_id: str) -> Backend:
        """Return how limits are kept on a pool."""
        path, backend, _ = self.pools[pool_id]
        if pool_id in self.away or not path.is_dir():
            raise ZosError(f"pool {pool_id} is not mounted")
        return backend


class Node:
    """A ledger, and pools on a land."""

    def __init__(self, folder: Path, land: Land) -> None:
        self.folder = folder
        self.land = land
        self.ledger = Ledger(folder)
        self.pools = StoragePools(self.ledger, land)

    def add(
        self,
        pool: str,
        path: Path,
        backend: Backend,
        *,
        size: int = 64 * MIB,
        disk_type: DiskType = DiskType.SSD,
    ) -> None:
        """Add a pool that is mounted."""
        path.mkdir(exist_ok=True)
        self.land.put(pool, path, backend, disk_type)
        self.ledger.pools.put(pool, type=disk_type, size=size)

    def free(self, pool: str = POOL) -> int:
        """Return what may still be reserved."""
        return self.ledger.pools.get(pool).free

    @property
    def groups(self) -> list[int]:
        """The quota groups of ours in the pool."""
        backend = self.land.pools[POOL][1]
        assert isinstance(backend, Btrfs)
        return backend._state().marked()


def folders_node(folder: Path, *, size: int = 64 * MIB, pools: tuple[str, ...] = (POOL,)) -> Node:
    """Return a node with plain folders as pools."""
    node = Node(folder / "node", Land())
    for pool in pools:
        node.add(pool, folder / pool, Accounting(root=folder / pool), size=size)
    return node


@contextlib.contextmanager
def ground_of(kind: str, folder: Path, *, size: int = 256 * MIB) -> Iterator[Path]:
    """Yield where pools of a kind may lie: a new btrfs, or the folder itself; undone in the end."""
    if kind in {"simple", "qgroup"}:
        file_systems.root_and_loops()
        debian.need("mkfs.btrfs", "btrfs-progs")
        with file_systems.mounted(folder, "btrfs", size=size) as point:
            yield point
        return
    if kind == "images":
        file_systems.root_and_loops()
    try:
        yield folder
    finally:
        file_systems.unmount_all(folder)


def backend_of(kind: str, root: Path) -> Backend:
    """Return how limits are kept by a kind of pools."""
    if kind == "images":
        return LoopImage(root=root)
    if kind == "folder":
        return Accounting(root=root)
    backend = Btrfs(root=root, mode=Mode.SIMPLE if kind == "simple" else Mode.QGROUP, enable=True)
    backend.prepare()
    return backend


def write(path: Path, size: int, *, name: str = "file") -> int:
    """Append up to *size* bytes as whoever runs this, and return how many were accepted."""
    done = 0
    try:
        held = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while done < size:
                done += os.write(held, bytes(min(size - done, 256 * 1024)))
            os.fsync(held)
        finally:
            os.close(held)
    except OSError as error:
        if error.errno not in {errno.EDQUOT, errno.ENOSPC}:
            raise
    return done


def switch_quotas_off(root: Path) -> None:
    """Do what somebody else may do at any time."""
    _ioctl.quota(root, 2)
