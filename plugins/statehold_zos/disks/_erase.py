from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from statehold.sdk import sync_folder
from statehold_zos.disks._devices import Device, Folder, ImageFile
from statehold_zos.disks._identity import FILE
from statehold_zos.disks._probe import SUPERBLOCKS, probe
from statehold_zos.disks._programs import run, told
from statehold_zos.model import ZosError

_ENDS: Final = 2 * 2**20
_RELEASED: Final = 60.0


def erase(device: Device, *, held: Collection[int] = ()) -> None:
    """Make a disk empty that was proven ours; may be repeated.

    Every signature goes by `wipefs`; then both ends, where partition tables are, and all copies of the
    superblock of btrfs are overwritten with zeros; what the disk can forget at once is forgotten as well.

    Raises:
        ZosError: it is in use, cannot be written, or something is still found on it.

    """
    if isinstance(device, Folder):
        with told(f"take {FILE} from {device.name}"):
            (device.path / FILE).unlink(missing_ok=True)
            sync_folder(device.path)
        return
    with alone(device) as path:
        run("wipefs", "--all", "--force", path, held=held)
        with suppress(ZosError):  # not all can forget
            _forget(path, held)
        with told(f"overwrite {device.name}"):
            _zero_ends(path)
    if signatures := probe(path).signatures:
        raise ZosError(f"{device.name} was wiped, and still has {', '.join(signatures)}")


@contextmanager
def alone(device: Device) -> Generator[str]:
    """Yield where a disk can be written: an image as a file, after its loop device has gone.

    A block device is kept from all who want it for themselves, such as mounts, as long as that is written.

    Raises:
        ZosError: it is not there, or somebody uses it.

    """
    path = _released(device)
    if isinstance(device, ImageFile):
        yield path
        return
    with told(f"have the disk {device.name} alone"):
        held = os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC)
    try:
        yield path
    finally:
        os.close(held)


def _released(device: Device) -> str:
    if isinstance(device, ImageFile) and (part := device.find_part()):
        raise ZosError(f"the disk {device.name} is in use: a part of it is at {part}")
    device.detach()
    end = time.monotonic() + _RELEASED
    while path := device.find():
        if not isinstance(device, ImageFile):
            return path
        if time.monotonic() > end:
            raise ZosError(f"the disk {device.name} is in use at {path}")
        time.sleep(0.01)
    if not device.there:
        raise ZosError(f"the disk {device.name} is not there")
    return device.name


def _forget(path: str, held: Collection[int]) -> None:
    """Let the disk drop its contents, where it can."""
    status = Path(path).stat()
    if stat.S_ISBLK(status.st_mode):
        run("blkdiscard", "--force", path, held=held)
    else:
        words = ("--punch-hole", "--offset", "0", "--length", str(status.st_size))
        run("fallocate", *words, path, held=held)


def _zero_ends(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        places = (0, *SUPERBLOCKS, max(0, size - _ENDS))
        for place in places:
            count = _ENDS if place in {0, places[-1]} else 4096
            if place < size:
                _zero(descriptor, place, min(count, size - place))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _zero(descriptor: int, place: int, count: int) -> None:
    done = 0
    while done < count:
        done += os.pwrite(descriptor, bytes(min(2**20, count - done)), place + done)
