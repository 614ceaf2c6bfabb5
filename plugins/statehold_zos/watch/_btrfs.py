"""What btrfs says about the disks of a mounted pool, by ioctl and in /sys (linux/btrfs.h)."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from statehold_quota import btrfs
from statehold_zos.model import Raid

_LEVELS: Final = 0x7F8
_RAID_BITS: Final = {Raid.SINGLE: 0, Raid.RAID0: 8, Raid.RAID1: 16, Raid.RAID10: 64}
_GLOBAL: Final = 1 << 49
_DATA: Final = 1


@attrs.frozen
class Errors:
    """How often a disk failed, since somebody last set the counts to 0; they are kept over mounts."""

    write: int = 0
    read: int = 0
    flush: int = 0
    corrupt: int = 0
    stale: int = 0

    @property
    def any(self) -> bool:
        """Whether it failed at all."""
        return self != Errors()

    @property
    def lost(self) -> bool:
        """Whether it did not do what it was told, rather than having given something wrong."""
        return bool(self.write or self.read or self.flush)

    def failed_since(self, before: Errors | None) -> bool:
        """Whether it did not do what it was told, since it was as *before*."""
        old = before or Errors()
        return (self.write, self.read, self.flush) != (old.write, old.read, old.flush)

    def __str__(self) -> str:
        words = {"write": self.write, "read": self.read, "flush": self.flush}
        words |= {"checksum": self.corrupt, "generation": self.stale}
        return ", ".join(f"{count:,} {word} errors" for word, count in words.items() if count)


@attrs.frozen(kw_only=True)
class Member:
    """A disk of a mounted btrfs, as the kernel has it.

    Attributes:
        number: its id in the file system.
        device: where the kernel has it, "" where it lacks.
        size: bytes of it that are used for the file system.
        held: bytes of it that chunks take.
        errors: see `Errors`.
        writeable: whether the kernel writes to it: not one that lacked at the mount and came back since.

    """

    number: int
    device: str
    size: int
    held: int
    errors: Errors
    writeable: bool


@attrs.frozen
class Btrfs:
    """A mounted btrfs.

    Attributes:
        root: where it is mounted.

    """

    root: Path

    @property
    def members(self) -> tuple[Member, ...]:
        """Its disks, by number."""
        found, shown = [], self._shown() / "devinfo"
        for number, device, size, held in btrfs.devices(self.root):
            with suppress(OSError):
                lacks = _word(shown / str(number) / "missing") == "1"
                member = Member(
                    number=number,
                    device="" if lacks else device,
                    size=size,
                    held=held,
                    errors=Errors(*btrfs.errors(self.root, number)),
                    writeable=not lacks and _word(shown / str(number) / "writeable") != "0",
                )
                found.append(member)
        return tuple(found)

    @property
    def at_work(self) -> str:
        """What it is busy with, of what excludes anything else of the kind: "" for nothing."""
        word = _word(self._shown() / "exclusive_operation") or "none"
        return "" if word == "none" else word

    @property
    def replaced(self) -> float | None:
        """Which part of a disk has been copied to the one that replaces it; None while none is."""
        return btrfs.replaced(self.root)

    def scrubbed(self, member: Member) -> float | None:
        """Return which part of a disk a scrub that runs has read; None while none runs."""
        try:
            return min(1.0, btrfs.scrubbed(self.root, member.number) / max(1, member.held))
        except OSError:
            return None

    def commit(self) -> None:
        """Commit what is in memory, or only in the log: a scrub reads nothing that is not committed."""
        btrfs.sync(self.root)

    def reset(self, member: Member) -> None:
        """Set the counts of a disk's errors to 0."""
        btrfs.errors(self.root, member.number, reset=True)

    def is_mixed(self, raid: Raid) -> bool:
        """Whether data are not spread as they should be, as after writes while a disk lacked."""
        for flags, total in btrfs.spaces(self.root):
            wrong = flags & _LEVELS != _RAID_BITS[raid]
            # Metadata have a level of their own where the data have no copies.
            if not flags & _GLOBAL and total and wrong and (flags & _DATA or raid.survives):
                return True
        return False

    def _shown(self) -> Path:
        return Path(f"/sys/fs/btrfs/{btrfs.uuid_of(self.root)}")


def _word(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise
        return None
