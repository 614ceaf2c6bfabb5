"""What is asked of btrfs by its programs."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from statehold_quota import btrfs, programs
from statehold_zos.disks._programs import run
from statehold_zos.disks._records import PoolRecord
from statehold_zos.model import Raid
from statehold_zos.planning import usable

_KNOWN: Final = Path("/proc/filesystems")
_ALIGNED: Final = 2**20
_CHUNK: Final = 2**30
#: A hundredth for metadata, and each of the copies counts: enough for files of 64 KiB and larger.
_METADATA: Final = 100
_LINE: Final = re.compile(
    r"^(Metadata|System|Data),\S+: Size:(\d+)|^(Unallocated):|^\s+(/\S+)\s+(\d+)$", re.MULTILINE
)


def supported() -> bool:
    """Whether pools of btrfs can be made and mounted here."""
    if programs.find("mkfs.btrfs") is None or programs.find("btrfs") is None:
        return False
    return "btrfs" in _KNOWN.read_text(encoding="ascii").split() or _module()


def make(record: PoolRecord, devices: Sequence[str], *, held: Collection[int]) -> None:
    """Make the file system of a pool on disks that are empty; refuses where one is not."""
    metadata = "dup" if len(devices) == 1 else "raid1"  # a whole pool is not to be lost with one bad sector
    words = ("-d", record.raid.value, "-m", metadata, "-L", record.id, "-U", record.uuid)
    run("mkfs.btrfs", "-q", *words, *devices, held=held)


def devices_of(record: PoolRecord) -> list[str]:
    """Return the block devices that a pool is mounted from."""
    return [f"/dev/{each.name}" for each in Path(f"/sys/fs/btrfs/{record.uuid}/devices").glob("*")]


def forget(devices: Sequence[str]) -> None:
    """Let the kernel forget what was on devices when they were mounted.

    Else a mirror that is mounted without one of its disks keeps that one's device number to itself, also when
    another disk has it by then.
    """
    for device in devices:
        with suppress(OSError):  # it is mounted elsewhere, or the kernel is older than 5.6
            btrfs.forget(device)


def options(devices: Sequence[str], *, degraded: bool) -> str:
    """Return with what a pool is mounted."""
    words = ["noatime", "nodev", "nosuid", *(f"device={device}" for device in devices)]
    return ",".join([*words, "degraded"] if degraded else words)


def capacity(point: Path, raid: Raid, sizes: dict[str, int]) -> int:
    """Return how many bytes of data can be written into a new file system, all reservations together.

    Args:
        point: where it is mounted.
        raid: how data are spread.
        sizes: bytes of its devices, by their paths.

    """
    taken = dict.fromkeys(sizes, _ALIGNED)
    metadata, section = 0, ""
    told = run("btrfs", "filesystem", "usage", "--raw", point)
    for kind, size, rest, device, of_device in _LINE.findall(told):
        section = kind or rest or section
        if kind == "Metadata":
            metadata += int(size)
        elif device in taken and section in {"Metadata", "System"}:
            taken[device] += int(of_device)
    room = usable(raid, [size - taken[device] for device, size in sizes.items()])
    more = max(0, room // _METADATA - metadata)
    each = math.ceil(2 * more / len(sizes))
    least = [max(0, size - taken[device] - each) for device, size in sizes.items()]
    held = usable(raid, least) - _stranded(raid, list(sizes.values()))
    return max(0, held) // _ALIGNED * _ALIGNED


def _stranded(raid: Raid, sizes: list[int]) -> int:
    """Return how much may stay on one disk at the end, which finds no other for the second copy.

    What is taken at once is a tenth of all, and no more than 1 GiB; of two disks, both always take the same.
    """
    mirrored = raid.survives > 0 and len(sizes) > 2
    return min(_CHUNK, sum(sizes) // 10) // 2 if mirrored else 0


def _module() -> bool:
    return any(Path("/lib/modules").glob(f"{os.uname().release}/**/btrfs.ko*"))
