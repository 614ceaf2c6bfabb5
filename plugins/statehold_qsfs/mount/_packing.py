from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from ctypes import addressof, c_char, sizeof
from operator import itemgetter
from typing import Final

from statehold_qsfs.files import BLOCK, Attributes
from statehold_qsfs.mount._lowlevel import Entry, Stat

_NS: Final = 1_000_000_000
_NAMES: Final = ("ino", "nlink", "mode", "uid", "gid", "rdev", "size", "blksize", "blocks")
_TIMES: Final = ("atimespec", "mtimespec", "ctimespec")


def _layout() -> tuple[struct.Struct, Callable[[tuple[int, ...]], tuple[int, ...]]]:
    """Return what packs a `struct stat`, and in which order: each kind of machine has its own."""
    fields = [getattr(Stat, f"st_{name}") for name in _NAMES]
    spots = [(field.offset, "Q" if field.size == 8 else "I") for field in fields]
    for field in (getattr(Stat, f"st_{name}") for name in _TIMES):
        spots += [(field.offset, "q"), (field.offset + field.size // 2, "q")]
    order = sorted(range(len(spots)), key=spots.__getitem__)
    form, end = "=", 0
    for offset, letter in map(spots.__getitem__, order):
        form += f"{offset - end}x{letter}"
        end = offset + struct.calcsize(f"={letter}")
    return struct.Struct(form), itemgetter(*order)


_STAT, _ordered = _layout()
_HEAD: Final = struct.Struct("=QQ")
_TAIL: Final = struct.Struct("=dd")


class Scratch(threading.local):
    """What answers are written into, for each thread its own.

    Attributes:
        entry: the address of an entry.
        stat: the address of what `stat` tells.

    """

    def __init__(self, timeout: float) -> None:
        self._entry, self._stat = Entry(), Stat()
        self.entry, self.stat = addressof(self._entry), addressof(self._stat)
        self._entry_bytes = (c_char * sizeof(Entry)).from_buffer(self._entry)
        self._stat_bytes = (c_char * sizeof(Stat)).from_buffer(self._stat)
        self._attr = Entry.attr.offset
        _TAIL.pack_into(self._entry_bytes, Entry.attr_timeout.offset, timeout, timeout)

    def put_entry(self, known: Attributes) -> None:
        """Fill the entry."""
        _HEAD.pack_into(self._entry_bytes, 0, known.ino, 0)
        _STAT.pack_into(self._entry_bytes, self._attr, *_ordered(_values(known)))

    def put_no_entry(self) -> None:
        """Fill the entry with what says that there is none."""
        _HEAD.pack_into(self._entry_bytes, 0, 0, 0)

    def put_stat(self, known: Attributes) -> None:
        """Fill what `stat` tells."""
        _STAT.pack_into(self._stat_bytes, 0, *_ordered(_values(known)))

    def put_name(self, ino: int, mode: int) -> None:
        """Fill, of what `stat` tells, what a directory says of a name; the entry says that it is none."""
        self._stat.st_ino, self._stat.st_mode = ino, mode
        self._entry.ino, self._entry.attr.st_ino, self._entry.attr.st_mode = 0, ino, mode


def _values(known: Attributes) -> tuple[int, ...]:
    return (
        known.ino,
        known.nlink,
        known.mode,
        known.uid,
        known.gid,
        known.rdev,
        known.size,
        BLOCK,
        known.blocks,
        *divmod(known.atime, _NS),
        *divmod(known.mtime, _NS),
        *divmod(known.ctime, _NS),
    )
