"""What the disks of a btrfs that is not mounted say about it: which of them it is on."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

import attrs

from statehold_zos.disks._probe import SUPERBLOCKS
from statehold_zos.disks._reading import direct

_MAGIC: Final = b"_BHRfS_M"
_MAGIC_AT: Final = 64
_GENERATION_AT: Final = 72
_COUNT_AT: Final = 136
_NUMBER_AT: Final = 201


@attrs.frozen(kw_only=True)
class Superblock:
    """What a disk says.

    Attributes:
        generation: grows with all that is written to the file system.
        number: of the disk in it; 0 for one that another one was being copied to, which is not of it yet.
        count: how many disks it is on.

    """

    generation: int
    number: int
    count: int


def read(path: str) -> Superblock | None:
    """Return what a block device or an image says, None where it says nothing, or cannot be read."""
    try:
        with direct(path) as (take, size):
            block = take(SUPERBLOCKS[0], 4096) if size >= SUPERBLOCKS[0] + 4096 else b""
    except OSError:
        return None
    if block[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC:
        return None
    (generation,) = struct.unpack_from("<Q", block, _GENERATION_AT)
    (count,) = struct.unpack_from("<Q", block, _COUNT_AT)
    (number,) = struct.unpack_from("<Q", block, _NUMBER_AT)
    return Superblock(generation=generation, number=number, count=count)


def members(said: Mapping[str, Superblock]) -> tuple[frozenset[str], bool]:
    """Return which disks a file system is on now, of those that say so, and whether these are all of its.

    The disk that was written last is right about how many there are. One that was replaced or removed while
    it was away has an older word than those that are left.
    """
    latest: dict[int, str] = {}
    for name, each in sorted(said.items(), key=lambda item: item[1].generation):
        if each.number:
            latest[each.number] = name
    newest = sorted(latest.values(), key=lambda name: said[name].generation, reverse=True)
    if not newest:
        return frozenset(), False
    count = said[newest[0]].count
    return frozenset(newest[:count]), len(newest) >= count
