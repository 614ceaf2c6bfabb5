"""What a whole reservation of a space costs: its row on the disk, its subvolume and its limit on btrfs."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import timeit
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks._measure import Row, within
from statehold_zos.disks import DiskModule
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config, DiskType, Image, Space
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
        yield from _spaces(StoragePools(ledger, disks))


def _spaces(pools: StoragePools) -> Iterator[Row]:
    made: list[Space] = []

    def reserve() -> None:
        made.append(pools.reserve(DiskType.SSD, MIB))

    for _ in range(WARM):
        reserve()
    yield within(
        f"0-OS space reserved on btrfs with its limit, {WARM:,} there already",
        lambda: _median(reserve for _ in range(CALLS)),
        limit=2.0,
        unit="ms",
        rounds=5,
    )
    sizes = iter(range(2, 10_000))

    def resize() -> float:
        return _median(partial(pools.resize, space.id, next(sizes) * MIB) for space in made[:1] * 20)

    yield within("0-OS space on btrfs made larger", resize, limit=3.0, unit="ms", rounds=5)


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
