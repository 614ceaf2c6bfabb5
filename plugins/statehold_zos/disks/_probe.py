"""What is on a disk: asked of `blkid -p` and `wipefs`, and of the disk itself for what both do not see."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from statehold_zos.disks._programs import outcome, run
from statehold_zos.model import ZosError

_NOTHING, _AMBIVALENT = 2, 8
#: Where btrfs keeps its superblock and the copies of it, as far as the disk goes.
SUPERBLOCKS: Final = (64 * 1024, 64 * 2**20, 256 * 2**30)
#: What wipes of the first bytes leave: copies, which say nothing about what is there now.
BTRFS_COPY, GPT_COPY = "btrfs (copy)", "gpt (copy)"
COPIES: Final = frozenset({BTRFS_COPY, GPT_COPY})
_MAGIC: Final = b"_BHRfS_M"
_MAGIC_AT: Final = 64
_UUID_AT: Final = 32
_EDGE: Final = 128 * 1024
_GPT: Final = b"EFI PART"


@attrs.frozen(kw_only=True)
class Found:
    """What is on a disk.

    Attributes:
        kind: of the file system, "" where it is not clear, or there is none.
        label: of the file system.
        uuid: of the file system.
        part: of this disk among those of the file system, as btrfs has it.
        signatures: all that were found, such as `gpt`, `ext4`, or `btrfs (copy)`.

    """

    kind: str = ""
    label: str = ""
    uuid: str = ""
    part: str = ""
    signatures: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing at all was found."""
        return not self.signatures


def probe(path: str) -> Found:
    """Return what is on a block device or in an image; changes nothing.

    Raises:
        ZosError: it cannot be read.

    """
    told = outcome("blkid", "-p", "-o", "export", path, permitted=(0, _NOTHING, _AMBIVALENT))
    said = dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)
    try:
        listed = json.loads(run("wipefs", "--no-act", "--json", path) or "{}").get("signatures", ())
    except ValueError as error:
        raise ZosError(f"wipefs does not say clearly what is on {path}: {error}") from error
    names = [str(entry["type"]) for entry in listed]
    names += [said[key] for key in ("TYPE", "PTTYPE") if key in said and said[key] not in names]
    if told.returncode == _AMBIVALENT and not names:
        names.append("several at once")
    names += _hidden(path, names)
    clear = told.returncode == 0 and len(set(names) - COPIES) == 1
    return Found(
        kind=said.get("TYPE", "") if clear else "",
        label=_text(said.get("LABEL", "")),
        uuid=said.get("UUID", ""),
        part=said.get("UUID_SUB", ""),
        signatures=tuple(dict.fromkeys(names)),
    )


def left_of(path: str) -> set[str]:
    """Return the ids of btrfs file systems whose superblock, or a copy of it, is on a disk."""
    found = set()
    with _open(path) as disk:
        for place in disk.superblocks():
            block = disk.read(place, 4096)
            if block[_MAGIC_AT : _MAGIC_AT + 8] == _MAGIC:
                raw = block[_UUID_AT : _UUID_AT + 16].hex()
                found.add("-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:])))
    return found


def edges(path: str) -> str:
    """Return a hash of the first and the last bytes of a disk, where signatures are."""
    with _open(path) as disk:
        return disk.edges()


def writes(name: str) -> int:
    """Return a number that changes when anything is written to a disk: a time, or how much there was so far.

    Raises:
        ZosError: it cannot be told.

    """
    try:
        status = Path(name).stat()
        if not stat.S_ISBLK(status.st_mode):
            return status.st_mtime_ns
        number = status.st_rdev
        counted = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
        return int(counted.read_text(encoding="ascii").split()[6])
    except OSError as error:
        raise ZosError(f"cannot read {name}: {error.strerror}") from error


def _hidden(path: str, names: list[str]) -> list[str]:
    """Return signatures that are there where those who look for the first one only do not look."""
    found = []
    with _open(path) as disk:
        copies = disk.superblocks()[1:]
        if any(disk.read(place + _MAGIC_AT, 8) == _MAGIC for place in copies):
            found.append(BTRFS_COPY)
        if "gpt" not in names and any(disk.read(place, 8) == _GPT for place in disk.tables()):
            found.append(GPT_COPY)
    return found


@contextmanager
def _open(path: str) -> Generator[_Disk]:
    try:
        held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ZosError(f"cannot read {path}: {error.strerror}") from error
    try:
        yield _Disk(path, held, os.lseek(held, 0, os.SEEK_END))
    finally:
        os.close(held)


@attrs.frozen
class _Disk:
    path: str
    held: int
    size: int

    def superblocks(self) -> list[int]:
        return [place for place in SUPERBLOCKS if place + 4096 <= self.size]

    def tables(self) -> list[int]:
        places = (512, 4096, self.size - 512, self.size - 4096)
        return [place for place in places if 0 < place < self.size]

    def edges(self) -> str:
        parts = (self.read(0, _EDGE), self.read(max(0, self.size - _EDGE), _EDGE))
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def read(self, place: int, count: int) -> bytes:
        try:
            return os.pread(self.held, count, place)
        except OSError as error:
            raise ZosError(f"cannot read {self.path} at byte {place:,}: {error.strerror}") from error


def _text(value: str) -> str:
    return value.replace("\\ ", " ")
