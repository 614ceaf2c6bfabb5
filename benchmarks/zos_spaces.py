"""What a whole reservation of a space costs: its row on the disk, its subvolume and its limit on btrfs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import timeit
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks._measure import Row, against
from statehold_quota._btrfs import _ioctl
from statehold_zos.disks import DiskModule
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config, DiskType, Image
from statehold_zos.pools import StoragePools

GIB = 1024**3
MIB = 1024**2
CALLS = 100
WARM = 1000


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    if os.geteuid() or not Path("/dev/loop-control").exists() or not shutil.which("mkfs.btrfs"):
        return  # only root may mount here
    # Not in /tmp, which may be memory: a reservation is on the disk when it is told.
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="build"))).absolute()
        disk = folder / "disk.img"
        config = Config(
            folder=folder / "node",
            images=(Image(path=disk, size=8 * GIB),),
            types={str(disk): DiskType.SSD},
        )
        ledger = stack.enter_context(Ledger(config.folder))
        disks = DiskModule(config, ledger)
        stack.callback(_undo, disks)
        disks.prepare(tokens=[pool.token for pool in disks.plan().new])
        yield from _spaces(StoragePools(ledger, disks), folder)


def _spaces(pools: StoragePools, folder: Path) -> Iterator[Row]:
    made = [pools.reserve(DiskType.SSD, MIB) for _ in range(WARM)]
    yield against(
        f"0-OS space reserved on btrfs with its limit, {WARM:,} there already",
        lambda: _median(partial(pools.reserve, DiskType.SSD, MIB) for _ in range(CALLS)),
        Floor(folder / "floor.db", made[0].path.parents[2]).measure,
        limit_name="two rows on the disk, and bare calls of the kernel",
        bar=4.0,
        unit="ms",
        rounds=5,
    )


class Floor:
    """What no reservation can do without: to write a row and say it is ready, two subvolumes and a limit."""

    def __init__(self, file: Path, pool: Path) -> None:
        self._sql = sqlite3.connect(file, isolation_level=None)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, state TEXT)")
        self._pool = pool
        self._numbers = iter(range(10**9))

    def measure(self) -> float:
        """Return the seconds of one."""
        return _median(self._make for _ in range(CALLS))

    def _make(self) -> None:
        number = next(self._numbers)
        self._sql.execute("INSERT INTO rows VALUES (?, 'pending')", (number,))
        group = self._pool / f"floor-{number}"
        _ioctl.make_subvolume(self._pool, group.name)
        qgroup = 1 << 48 | _ioctl.subvolume_of(group)
        _ioctl.make_qgroup(group, qgroup)
        _ioctl.set_limit(group, qgroup, MIB)
        _ioctl.make_subvolume(group, "data")
        _ioctl.assign(group, _ioctl.subvolume_of(group / "data"), qgroup)
        self._sql.execute("UPDATE rows SET state = 'ready' WHERE id = ?", (number,))


def _undo(disks: DiskModule) -> None:
    for pool in disks.pools():
        disks.unmount(pool.id)
    # Where others have mounts of their own, they may still hold it: it goes with them.
    for device in disks.devices.values():
        if at := device.find():
            subprocess.run(["losetup", "--detach", at], check=False)


def _median(calls: Iterator[Callable[[], object]]) -> float:
    """Return the seconds that one of the calls takes."""
    return statistics.median(timeit.timeit(call, number=1) for call in calls)
