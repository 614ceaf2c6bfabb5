from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Final

import attrs

from statehold_quota._backend import Group, QuotaError, told
from statehold_quota._loop._image import Image, slack
from statehold_quota._programs import program
from statehold_quota._walk import remove_tree, size_of

_PROGRAMS: Final = ("mount", "umount", "losetup", "mkfs.ext4", "dumpe2fs", "resize2fs", "e2fsck")
_CONTROL: Final = Path("/dev/loop-control")


@attrs.frozen(kw_only=True)
class LoopImage:
    """Limits by the size of an ext4 of the group's own, in a file beside its folder.

    Full is full, for root as for anybody else: ENOSPC. The room is taken from the disk when the limit is set,
    and up to 2 percent and 192 KiB more than the limit may fit. What is mounted stays mounted when the
    process ends, and is mounted again after a restart of the machine.
    """

    root: Path
    name: ClassVar[str] = "loop"
    title: ClassVar[str] = "loop image"
    enforced: ClassVar[bool] = True
    smallest: ClassVar[int] = 1024 * 1024
    step: ClassVar[int] = 64 * 1024
    #: What the folders in an image take beside one file: with it, a file as large as the limit fits.
    overhead: ClassVar[int] = 64 * 1024

    @staticmethod
    def most(limit: int) -> int:
        """Return how many bytes of the disk below an image takes at most that has so much room."""
        return limit + limit // 6 + 4 * 2**20

    def taken(self, group: Group) -> int:
        """Return how many bytes of the disk below the image of a group takes."""
        with told(self, f"read the size of the image of {group.path.name}"):
            return _image(group).size

    def exists(self, group: Group) -> bool:
        """Whether the group has an image, mounted or not."""
        return _image(group).file.exists()

    def require(self) -> None:
        """Raise QuotaError where loop devices or programs are missing, or this is not root."""
        if os.geteuid() != 0:
            raise QuotaError(f"{self.title}: only root may mount")
        if not _CONTROL.exists():
            raise QuotaError(f"{self.title}: there is no {_CONTROL}")
        for name in _PROGRAMS:
            program(name)

    def prepare(self) -> None:
        """Do what `require` does."""
        self.require()

    def fault(self) -> str:
        """Return "": each image stands by itself."""
        return ""

    def make_group(self, group: Group) -> None:
        """Mount the image of the group; it is made when the limit is set."""
        image = _image(group)
        with told(self, f"mount {image.file.name}"):
            group.path.mkdir(mode=0o700, exist_ok=True)
            if image.file.exists():
                image.mount()

    def make_folder(self, group: Group, name: str) -> Path:
        """Make a folder in the image."""
        folder = self._mounted(group).point / name
        with told(self, f"make {group.path.name}/{name}"):
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def hold(self, group: Group) -> None:
        """Do nothing: nothing gets out of the count here."""

    def set_limit(self, group: Group, limit: int) -> None:
        """Make the image, or change its size; to make it smaller, nobody may be using it."""
        image = _image(group)
        with told(self, f"limit {group.path.name}"):
            if not image.file.exists():
                image.make(limit)
            self.make_group(group)
            if image.room < limit:
                image.grow(limit)
            elif not self.keeps(group, limit):
                image.shrink(limit)
        if not self.keeps(group, limit):
            raise QuotaError(f"{image.file.name} has room for {image.room:,} bytes, asked for were {limit:,}")

    def limit(self, group: Group) -> int | None:
        """Return the room in the image, None where it is not mounted."""
        image = _image(group)
        return image.room if image.mounted else None

    def keeps(self, group: Group, limit: int) -> bool:
        """Whether the image is mounted, and its room is the limit, or little more."""
        room = self.limit(group)
        return room is not None and limit <= room <= limit + slack(limit) + self.step

    def used(self, group: Group) -> int:
        """Return what the files in the image take."""
        return self._mounted(group).used

    def folder_used(self, group: Group, name: str) -> int:
        """Return what the files of one folder take; walks over them."""
        with told(self, f"read the size of {group.path.name}/{name}"):
            return size_of(self._mounted(group).point / name)

    def remove_folder(self, group: Group, name: str) -> None:
        """Remove a folder with all in it; nothing where the group has no image yet."""
        if _image(group).file.exists():
            with told(self, f"remove {group.path.name}/{name}"):
                remove_tree(self._mounted(group).point / name)

    def remove_group(self, group: Group) -> None:
        """Unmount the image and remove it."""
        image = _image(group)
        with told(self, f"remove {group.path.name}"):
            image.unmount()
            image.forget()
            remove_tree(group.path)

    def unmount(self, group: Group) -> None:
        """Unmount the image of a group, whose folders cannot be used until `make_group`."""
        _image(group).unmount()

    def _mounted(self, group: Group) -> Image:
        image = _image(group)
        if not image.mounted:
            raise QuotaError(f"{image.file} is not mounted at {group.path}")
        return image


def _image(group: Group) -> Image:
    return Image(group.path.with_name(f"{group.path.name}.img"), group.path)
