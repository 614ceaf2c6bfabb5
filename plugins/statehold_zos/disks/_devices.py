from __future__ import annotations

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import attrs

from statehold_zos.disks._programs import run, told
from statehold_zos.model import Config, RefusedError, ZosError

_STATUS: Final = 0x4C05
_STATUS_SIZE: Final = 232


class Device(Protocol):
    """A disk that the operator allows."""

    @property
    def name(self) -> str:
        """As the operator calls it."""

    @property
    def there(self) -> bool:
        """Whether it is there now; of an image that was never made, no."""

    def find(self) -> str:
        """Return the block device it is at now, "" for none: not there, an image not attached, a folder."""

    def make(self) -> None:
        """Make what is not there yet: the file of an image, the folder. Block devices are never made."""

    def attach(self) -> str:
        """Return the block device it is at, after making it one; "" for a folder; ZosError if it is gone."""

    def detach(self) -> None:
        """Let the loop device of an image go, now or when its last use ends; nothing for others."""

    @property
    def size(self) -> int:
        """Bytes it has, or would have when made; 0 for a block device that is not there."""


@attrs.frozen
class BlockDevice:
    """A real disk."""

    name: str

    @property
    def there(self) -> bool:
        """Whether a block device is at the path."""
        try:
            return stat.S_ISBLK(Path(self.name).stat().st_mode)
        except OSError:
            return False

    @property
    def size(self) -> int:
        """Bytes, as the kernel has it in /sys; 0 where it is not there."""
        return size_of_block(self.name) if self.there else 0

    def find(self) -> str:
        """Return the device that the path leads to, through links such as those of `/dev/disk/by-id`."""
        return os.path.realpath(self.name) if self.there else ""

    def make(self) -> None:
        """Do nothing: disks are made elsewhere."""

    def attach(self) -> str:
        """Return the device."""
        return self.find() or _gone(self.name)

    def detach(self) -> None:
        """Do nothing."""


@attrs.frozen
class ImageFile:
    """A file that is a disk, on a loop device."""

    path: Path
    planned: int

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self.path)

    @property
    def there(self) -> bool:
        """Whether the file is there; one whose file system has broken down is not."""
        try:
            return stat.S_ISREG(self.path.stat().st_mode)
        except OSError:
            return False

    @property
    def size(self) -> int:
        """Bytes of the file, or those it would get."""
        try:
            return self.path.stat().st_size
        except OSError:
            return self.planned

    def find(self) -> str:
        """Return the loop device that has the file, "" for none."""
        try:
            status = self.path.stat()
        except OSError:
            return ""
        for number in _loops_named(str(self.path.resolve())):
            if _file_of(number) == (status.st_dev, status.st_ino, 0):
                return f"/dev/{number}"
        return ""

    def find_part(self) -> str:
        """Return a loop device that has a part of the file, which none of ours is; "" for none."""
        try:
            status = self.path.stat()
        except OSError:
            return ""
        for number in _loops_named(str(self.path.resolve())):
            found = _file_of(number)
            if found and found[:2] == (status.st_dev, status.st_ino) and found[2]:
                return f"/dev/{number}"
        return ""

    def make(self) -> None:
        """Make the file, with a hole of that size; what is there stays as it is."""
        if self.there:
            return
        with told(f"make the image {self.path}"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                self.path.lstat()
                raise ZosError(f"{self.path} is there, and is no file")
            new = self.path.with_name(f".{self.path.name}.new")
            with new.open("wb") as file:
                file.truncate(self.planned)
            new.replace(self.path)

    def attach(self) -> str:
        """Return the loop device that has the file, after giving it one."""
        if not self.there:
            return _gone(self.name)
        return self.find() or run("losetup", "--find", "--show", "--nooverlap", self.path).strip()

    def detach(self) -> None:
        """Let its loop device go, at once, or as soon as nothing uses it any more."""
        if device := self.find():
            run("losetup", "--detach", device, permitted=(0, 1))  # 1: it went meanwhile


def _loops_named(path: str) -> Iterator[str]:
    """Yield the names of loop devices whose file is at a path, or was there before it was deleted."""
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # let go meanwhile
            if os.fsdecode(backing.read_bytes()).strip("\n").removesuffix(" (deleted)") == path:
                yield backing.parts[3]


def _file_of(loop: str) -> tuple[int, int, int] | None:
    """Return the file system and the number of the file that a loop device has, and from which byte on."""
    try:
        held = os.open(f"/dev/{loop}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = bytearray(_STATUS_SIZE)
        fcntl.ioctl(held, _STATUS, status)
    except OSError:
        return None
    finally:
        os.close(held)
    device, inode, _, start = struct.unpack_from("<QQQQ", status)
    return device, inode, start


@attrs.frozen
class Folder:
    """A folder of another file system."""

    path: Path
    planned: int

    @property
    def name(self) -> str:
        """The path of the folder."""
        return str(self.path)

    @property
    def there(self) -> bool:
        """Whether the folder is there."""
        return self.path.is_dir()

    @property
    def size(self) -> int:
        """Bytes that the operator allows in it."""
        return self.planned

    def find(self) -> str:
        """Return "": a folder is at no device of its own."""
        return ""

    def make(self) -> None:
        """Make the folder."""
        with told(f"make the folder {self.path}"):
            self.path.mkdir(mode=0o755, parents=True, exist_ok=True)

    def attach(self) -> str:
        """Return "", ZosError where the folder is gone."""
        return "" if self.there else _gone(self.name)

    def detach(self) -> None:
        """Do nothing."""


def devices_of(config: Config) -> dict[str, Device]:
    """Return the disks that a configuration allows, by name.

    Raises:
        RefusedError: one is named twice, is no absolute path, or has no size.

    """
    found: dict[str, Device] = {}
    allowed: list[BlockDevice | ImageFile | Folder] = [BlockDevice(path) for path in config.devices]
    allowed += [ImageFile(image.path, image.size) for image in config.images]
    allowed += [Folder(plain.path, plain.size) for plain in config.plain]
    for device in allowed:
        if device.name in found:
            raise RefusedError(f"the disk {device.name} is allowed twice")
        if not Path(device.name).is_absolute():
            raise RefusedError(f"a disk has an absolute path, got {device.name!r}")
        if not isinstance(device, BlockDevice) and device.planned <= 0:
            raise RefusedError(f"the disk {device.name} has no size: {device.planned} bytes")
        found[device.name] = device
    return found


def size_of_block(device: str) -> int:
    """Return the bytes of a block device, as the kernel has it in /sys; 0 where it has none."""
    try:
        number = Path(device).stat().st_rdev
        text = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/size").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(text) * 512


def _gone(name: str) -> str:
    raise ZosError(f"the disk {name} is not there")
