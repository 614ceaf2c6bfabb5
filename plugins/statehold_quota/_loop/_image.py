from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from statehold_quota._backend import QuotaError, QuotaFullError
from statehold_quota._mounts import is_mount_point
from statehold_quota._programs import PATIENCE, run

_GET_FLAGS, _SET_FLAGS, _NO_COPIES = 0x80086601, 0x40086602, 0x00800000
_UNIT: Final = 64 * 1024
_SMALL_BLOCKS: Final = 256 * 2**20
_TRIES: Final = 12
_RELEASED: Final = 3.0
_ALONE: Final = PATIENCE
# What ext4 keeps back for itself, from root too, although it says that this is free.
_KEPT_PART: Final = 50
_KEPT_BLOCKS: Final = 4096


@attrs.frozen
class Image:
    """An ext4 in a file, and where it is mounted.

    Its room is reserved on the disk below: a full disk refuses the image, not later what is written into it.

    Attributes:
        file: the image.
        point: where it is mounted.

    """

    file: Path
    point: Path

    @property
    def mounted(self) -> bool:
        """Whether it is mounted now."""
        return is_mount_point(self.point)

    @property
    def room(self) -> int:
        """How many bytes its files can take, all together; of a mounted one."""
        found = os.statvfs(self.point)
        return (found.f_blocks - _kept_back(self.size // found.f_frsize)) * found.f_frsize

    @property
    def size(self) -> int:
        """How many bytes of the disk below the image takes."""
        return self.file.stat().st_size

    @property
    def used(self) -> int:
        """How many bytes its files take; of a mounted one."""
        found = os.statvfs(self.point)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def make(self, room: int) -> None:
        """Make the image, with at least that much room; one that was half made is made anew."""
        new = self._new
        size = room + room // 32 + 4 * _UNIT
        try:
            # What a file system keeps for itself grows in jumps, so each try aims a little higher.
            for attempt in range(_TRIES):
                new.unlink(missing_ok=True)
                self._reserve(new, 0, size)
                free = _make_file_system(new, 1024 if room < _SMALL_BLOCKS else 4096)
                if room <= free <= room + slack(room):
                    break
                size += room - free + attempt * _UNIT // 2
            else:
                raise QuotaError(f"found no size of an image that leaves {room:,} bytes for files")
            new.replace(self.file)
        finally:
            new.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the image, which is not mounted, and one that was half made; none there is no error."""
        for file in (self.file, self._new):
            file.unlink(missing_ok=True)

    @property
    def _new(self) -> Path:
        return self.file.with_suffix(".new")

    def mount(self) -> None:
        """Mount the image, checked before; that it is mounted is no error."""
        if not self.mounted:
            with self._alone() as held:
                self._mount(held)

    def unmount(self) -> None:
        """Unmount the image; that it is not mounted is no error.

        Raises:
            QuotaError: it is in use, or mounted elsewhere as well.

        """
        if self.mounted:
            run("umount", self.point)
        end = time.monotonic() + _RELEASED
        while device := self._device():  # which the kernel gives back soon after the last mount has gone
            if time.monotonic() > end:
                raise QuotaError(f"{self.file.name} is in use elsewhere, by {device}")
            time.sleep(0.01)

    def grow(self, room: int) -> None:
        """Make a mounted image larger, while it is in use where this process may do that."""
        for _ in range(_TRIES):
            missing = room - self.room
            if missing <= 0:
                return
            size = self.size
            self._reserve(self.file, size, missing + missing // 128 + _UNIT)
            try:
                device = self._device()
                run("losetup", "--set-capacity", device)
                run("resize2fs", device)
            except QuotaError:  # Without CAP_SYS_RESOURCE, only what is not mounted can be resized.
                self._resize_unmounted()
        raise QuotaError(f"{self.file.name} has room for {self.room:,} bytes, and does not get {room:,}")

    def shrink(self, room: int) -> None:
        """Make a mounted image smaller, which nobody may be using meanwhile."""
        if self.used > room:
            raise QuotaFullError(
                f"{self.point.name} holds {self.used:,} bytes: its image cannot get smaller than that",
                hint="Remove files first",
            )
        for _ in range(_TRIES):
            excess = (self.room - room) // 1024
            if self.room <= room + slack(room):
                return
            self._resize_unmounted(self.size // 1024 - excess)

    def _resize_unmounted(self, kibibytes: int | None = None) -> None:
        """Give the file system that size, or without one, that of the file."""
        with self._alone() as held:
            try:
                self.unmount()
                self._check(held)
                size = () if kibibytes is None else (f"{kibibytes}K",)
                run("resize2fs", self.file, *size, patience=None, held=(held,))
                if kibibytes is not None:
                    os.truncate(self.file, kibibytes * 1024)
            finally:
                self._mount(held)

    def _mount(self, held: int) -> None:
        if self.mounted:
            return
        self.point.mkdir(exist_ok=True)
        if device := self._device():
            # Mounted elsewhere, as for a service that runs: two devices of one image would destroy it.
            run("mount", "-t", "ext4", "-o", "nodev,nosuid", device, self.point, held=(held,))
        else:
            self._check(held)
            run("mount", "-t", "ext4", "-o", "loop,nodev,nosuid", self.file, self.point, held=(held,))
        self.point.chmod(0o711)

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """Let nobody else check, resize or mount the image meanwhile, and lend what the programs are to hold.

        Who starts a program may be killed, and the program goes on: two at one image would destroy it.
        """
        held = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            end = time.monotonic() + _ALONE
            while not _locked(held):
                if time.monotonic() > end:
                    raise QuotaError(
                        f"{self.file.name} is being checked, resized or mounted by another program",
                        hint="Repeat it when that has ended",
                    )
                time.sleep(0.02)
            yield held
        finally:
            os.close(held)

    def _device(self) -> str:
        """Return the loop device that has the image, "" for none."""
        found = run("losetup", "--associated", self.file, "--noheadings", "--output", "NAME").stdout.split()
        return found[0] if found else ""

    def _check(self, held: int) -> None:
        """Mend what a crash left behind in an image that is not mounted."""
        run("e2fsck", "-f", "-p", self.file, permitted=(0, 1), patience=None, held=(held,))

    def _reserve(self, file: Path, start: int, size: int) -> None:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                if start == 0:
                    _write_in_place(descriptor)
                os.posix_fallocate(descriptor, start, size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            raise QuotaError(f"cannot reserve {size:,} bytes for {self.file.name}: {why}") from error


def _locked(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_in_place(descriptor: int) -> None:
    """Let a file system that writes copies elsewhere write in place, or what was reserved is no room."""
    with suppress(OSError):  # Others have no such flag, and no need of it.
        flags = struct.unpack("i", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)))[0]
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("i", flags | _NO_COPIES))


def slack(room: int) -> int:
    """Return by how many bytes the room of an image may be larger than asked for."""
    return room // 64 + 128 * 1024


def _make_file_system(file: Path, block: int) -> int:
    """Make an ext4, and return what its files can take."""
    extended = "nodiscard,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-b", str(block), "-E", extended, file)
    told = run("dumpe2fs", "-h", file).stdout
    found = re.search(r"^Free blocks:\s+(\d+)$", told, re.MULTILINE)
    if found is None:
        raise QuotaError(f"dumpe2fs does not say how much is free in {file.name}")
    return (int(found[1]) - _kept_back(file.stat().st_size // block)) * block


def _kept_back(blocks: int) -> int:
    """Return how many blocks of so many in all cannot be filled."""
    return min(blocks // _KEPT_PART, _KEPT_BLOCKS)
