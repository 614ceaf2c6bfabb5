"""What btrfs says about the disks of a mounted pool, by ioctl and in /sys (linux/btrfs.h)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import UUID

import attrs

from statehold_zos.model import Raid

_NONE, _WRITE, _READ = 0, 1, 2


def _number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | 0x94 << 8 | number


_SYNC: Final = _number(_NONE, 8, 0)
_SPACES: Final = _number(_READ | _WRITE, 20, 16)
_SCRUBBED: Final = _number(_READ | _WRITE, 29, 1024)
_DEVICE: Final = _number(_READ | _WRITE, 30, 4096)
_FILE_SYSTEM: Final = _number(_READ, 31, 1024)
_ERRORS: Final = _number(_READ | _WRITE, 52, 1032)
_REPLACED: Final = _number(_READ | _WRITE, 53, 2600)
_RESET: Final = 1
_STATUS: Final = 1
_STARTED: Final = 1
_SLOTS: Final = 64
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
        with _opened(self.root) as held:
            highest, count, uuid = struct.unpack_from("<QQ16s", _ask(held, _FILE_SYSTEM, b"", 1024))
            shown = Path(f"/sys/fs/btrfs/{UUID(bytes=uuid)}/devinfo")
            found: list[Member] = []
            for number in range(1, highest + 1):
                if len(found) == count:
                    break
                with suppress(FileNotFoundError, OSError):
                    found.append(_member(held, number, shown))
        return tuple(found)

    @property
    def at_work(self) -> str:
        """What it is busy with, of what excludes anything else of the kind: "" for nothing."""
        word = _word(self._shown() / "exclusive_operation") or "none"
        return "" if word == "none" else word

    @property
    def replaced(self) -> float | None:
        """Which part of a disk has been copied to the one that replaces it; None while none is."""
        with _opened(self.root) as held:
            answer = _ask(held, _REPLACED, struct.pack("<Q", _STATUS), 2600)
        _, _, state, thousandths = struct.unpack_from("<QQQQ", answer)
        return float(thousandths / 1000) if state == _STARTED else None

    def scrubbed(self, member: Member) -> float | None:
        """Return which part of a disk a scrub that runs has read; None while none runs."""
        with _opened(self.root) as held:
            try:
                answer = _ask(held, _SCRUBBED, struct.pack("<Q", member.number), 1024)
            except OSError:
                return None
        read: tuple[int, ...] = struct.unpack_from("<QQ", answer, 32 + 16)
        return min(1.0, sum(read) / max(1, member.held))

    def commit(self) -> None:
        """Commit what is in memory, or only in the log: a scrub reads nothing that is not committed."""
        with _opened(self.root) as held:
            fcntl.ioctl(held, _SYNC)

    def reset(self, member: Member) -> None:
        """Set the counts of a disk's errors to 0."""
        with _opened(self.root) as held:
            _ask(held, _ERRORS, struct.pack("<QQQ", member.number, 5, _RESET), 1032)

    def is_mixed(self, raid: Raid) -> bool:
        """Whether data are not spread as they should be, as after writes while a disk lacked."""
        with _opened(self.root) as held:
            answer = _ask(held, _SPACES, struct.pack("<QQ", _SLOTS, 0), 16 + 24 * _SLOTS)
        _, count = struct.unpack_from("<QQ", answer)
        for place in range(min(count, _SLOTS)):
            flags, total, _ = struct.unpack_from("<QQQ", answer, 16 + 24 * place)
            wrong = flags & _LEVELS != _RAID_BITS[raid]
            # Metadata have a level of their own where the data have no copies.
            if not flags & _GLOBAL and total and wrong and (flags & _DATA or raid.survives):
                return True
        return False

    def _shown(self) -> Path:
        with _opened(self.root) as held:
            uuid = bytes(_ask(held, _FILE_SYSTEM, b"", 1024)[16:32])
        return Path(f"/sys/fs/btrfs/{UUID(bytes=uuid)}")


class _opened:  # noqa: N801  reads as a function
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> int:
        self._held = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._held

    def __exit__(self, *_: object) -> None:
        os.close(self._held)


def _member(held: int, number: int, shown: Path) -> Member:
    answer = _ask(held, _DEVICE, struct.pack("<Q", number), 4096)
    used, total = struct.unpack_from("<QQ", answer, 24)
    path = bytes(answer[3072:4096]).split(b"\0")[0]
    lacks = _word(shown / str(number) / "missing") == "1"
    values = struct.unpack_from("<5Q", _ask(held, _ERRORS, struct.pack("<QQ", number, 5), 1032), 24)
    return Member(
        number=number,
        device="" if lacks else os.fsdecode(path),
        size=total,
        held=used,
        errors=Errors(*values),
        writeable=not lacks and _word(shown / str(number) / "writeable") != "0",
    )


def _ask(held: int, number: int, argument: bytes, size: int) -> bytearray:
    buffer = bytearray(argument.ljust(size, b"\0"))
    fcntl.ioctl(held, number, buffer, True)  # noqa: FBT003  a position in the standard library
    return buffer


def _word(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise
        return None
