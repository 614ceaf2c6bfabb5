from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from statehold_quota import QuotaError, mounts_under, programs
from statehold_zos.model import Config, DiskType, Image, Plain, Policy, Raid
from statehold_zos.node import Node

_IMAGE: Final = 256 * 2**20
_FOLDER: Final = 128 * 2**20
_TYPES: Final[Mapping[str, DiskType]] = {
    "ssd1": DiskType.SSD,
    "ssd2": DiskType.SSD,
    "hdd1": DiskType.HDD,
    "hdd2": DiskType.HDD,
}
_PROGRAMS: Final = ("mkfs.btrfs", "btrfs", "losetup", "mount", "wipefs", "blkid")
_SET, _GET, _STATUS, _LIMIT = 0x4C04, 0x4C05, 232, 32


class Ground(Protocol):
    """What the four disks are."""

    @property
    def config(self) -> Config:
        """Return the configuration of the node."""
        ...

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Return how pools are made, one after the other."""
        ...

    @property
    def words(self) -> str:
        """Say what the disks are."""
        ...

    @property
    def why(self) -> str:
        """Say why they are not more than that, "" where they are."""
        ...

    def pull(self, node: Node, disk: str) -> None:
        """Pull a disk, whatever it is used for."""
        ...

    def put_back(self, node: Node, disk: str) -> None:
        """Put it back."""
        ...

    def undo(self) -> None:
        """Let go of everything that is not in the folder alone."""
        ...


class Images:
    """Files on loop devices, with btrfs: two SSDs that mirror each other, and two HDDs that do not."""

    why: Final = ""
    words: Final = (
        "Four image files of 256 MiB stand for the disks, on loop devices: two are called SSDs and are to "
        "mirror each other, two are called HDDs and are to be a pool each."
    )
    policies: Final = (
        Policy(raid=Raid.RAID1, disks=2, types=(DiskType.SSD,)),
        Policy(types=(DiskType.HDD,)),
    )

    def __init__(self, folder: Path) -> None:
        files = {folder / f"{name}.img": kind for name, kind in _TYPES.items()}
        self.config: Final = Config(
            folder=folder / "node",
            images=tuple(Image(path=path, size=_IMAGE) for path in files),
            types={str(path): kind for path, kind in files.items()},
            every=0.5,
            grace=0,
        )

    def pull(self, node: Node, disk: str) -> None:
        """Let each read and each write of it fail."""
        self._limit(node, disk, 4096)

    def put_back(self, node: Node, disk: str) -> None:
        """Let them work again."""
        self._limit(node, disk, 0)

    def undo(self) -> None:
        """Unmount what is still mounted; the loop devices go with that."""
        for mount in sorted(mounts_under(self.config.folder.parent), key=lambda each: -len(str(each.point))):
            with contextlib.suppress(QuotaError):
                programs.run("umount", "-l", mount.point)
        for image in self.config.images:
            with contextlib.suppress(QuotaError):
                found = programs.run(
                    "losetup", "--noheadings", "--output", "NAME", "--associated", image.path
                )
                for device in found.stdout.split():
                    programs.run("losetup", "-d", device)

    @staticmethod
    def _limit(node: Node, disk: str, size: int) -> None:
        """Let a loop device end after *size* bytes, 0 for where its file ends."""
        held = os.open(node.disks.devices[disk].find(), os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = bytearray(_STATUS)
            fcntl.ioctl(held, _GET, status)
            struct.pack_into("<Q", status, _LIMIT, size)
            fcntl.ioctl(held, _SET, bytes(status))
        finally:
            os.close(held)


class Folders:
    """Folders, where nothing can be mounted: sizes are counted, and nothing is refused by the system."""

    words: Final = (
        "Four folders stand for the disks: two are called SSDs, two HDDs; each is to be a pool of 128 MiB."
    )
    policies: Final = (Policy(),)

    def __init__(self, folder: Path, why: str) -> None:
        self.why: Final = why
        folders = {folder / name: kind for name, kind in _TYPES.items()}
        self.config: Final = Config(
            folder=folder / "node",
            plain=tuple(Plain(path=path, size=_FOLDER) for path in folders),
            types={str(path): kind for path, kind in folders.items()},
            every=0.5,
            grace=0,
        )

    def pull(self, node: Node, disk: str) -> None:  # noqa: ARG002
        """Take the folder away."""
        Path(disk).rename(f"{disk}.pulled")

    def put_back(self, node: Node, disk: str) -> None:  # noqa: ARG002
        """Put it back."""
        Path(f"{disk}.pulled").rename(disk)

    def undo(self) -> None:
        """Put back what was taken away."""
        for plain in self.config.plain:
            with contextlib.suppress(FileNotFoundError):
                self.put_back_path(plain.path)

    @staticmethod
    def put_back_path(path: Path) -> None:
        """Put a folder back."""
        path.with_name(f"{path.name}.pulled").rename(path)


def ground_in(folder: Path, *, plain: bool) -> Ground:
    """Return what the disks can be here: images where this process may mount, else folders."""
    if plain:
        return Folders(folder, "--plain says so")
    if os.geteuid() != 0:
        return Folders(folder, "only root may mount")
    if not Path("/dev/loop-control").exists():
        return Folders(folder, "there are no loop devices")
    lacking = [name for name in _PROGRAMS if programs.find(name) is None]
    if lacking:
        return Folders(folder, f"there is no {lacking[0]}")
    if "btrfs" not in Path("/proc/filesystems").read_text(encoding="ascii").split():
        return Folders(folder, "this kernel has no btrfs")
    return Images(folder)
