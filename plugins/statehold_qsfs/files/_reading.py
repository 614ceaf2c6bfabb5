from __future__ import annotations

import errno
import stat
import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

import attrs

from statehold_qsfs.files._buffers import Part
from statehold_qsfs.files._layout import PAGE, Pieces
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._records import find_block, refuse
from statehold_qsfs.files._values import BLOCK
from statehold_qsfs.files._volume import Volume

#: So many blocks are kept of which parts were read.
_KEPT: Final = 32
_ZEROS: Final = bytes(BLOCK)


class _Stretch(NamedTuple):
    """Some bytes of one block: from `start` to `end`, of its pieces and, over these, of its parts."""

    start: int
    end: int
    pieces: Pieces
    parts: Sequence[Part]


class _GoneError(Exception):
    """A block was replaced between looking where it stands and reading it."""


@attrs.define(eq=False)
class Reading:
    """Reads files: finds out under the lock where the bytes are, and reads them without it.

    So others go on meanwhile, also when a block has to come from elsewhere.
    """

    volume: Volume
    _kept: dict[int, memoryview] = attrs.field(factory=dict, init=False)
    _keeping: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def read(self, node: Node, size: int, offset: int) -> list[bytes | memoryview]:
        """Return up to *size* bytes in their order; takes the lock itself."""
        volume = self.volume
        failed: list[_Stretch] = []
        while True:
            with volume.lock:
                volume.check_open()
                if not node.cached:  # it was dropped from memory, and may be there anew
                    node = volume.node(node.ino)
                check_file(node)
                end = min(offset + size, node.size)
                if end <= offset or size <= 0:
                    return []
                volume.read_times(node)
                if node.content is not None:
                    return [node.content[offset:end]]
                plan = self._plan(node, offset, end)
            if plan == failed:
                raise OSError(
                    errno.EIO, f"{volume.data.name}: a block of file {node.ino} is not there; see `check`"
                )
            try:
                return [self._bytes(stretch) for stretch in plan]
            except _GoneError:
                failed = plan

    def read_bytes(self, node: Node, size: int, offset: int) -> bytes:
        """Do what `read` does, and return it in one."""
        parts = self.read(node, size, offset)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def _plan(self, node: Node, offset: int, end: int) -> list[_Stretch]:
        volume, buffers = self.volume, node.buffers
        plan = []
        while offset < end:
            block, start = divmod(offset, BLOCK)
            stop = min(BLOCK, start + end - offset)
            page = volume.page(node, block // PAGE)
            pieces = page.blocks[block % PAGE] if page is not None else ()
            parts: Sequence[Part] = ()
            if buffers is not None and block in buffers:
                parts = [_copied(part, start, stop) for part in buffers[block].parts]
            plan.append(_Stretch(start, stop, pieces, parts))
            offset += stop - start
        return plan

    def _bytes(self, stretch: _Stretch) -> bytes | memoryview:
        start, end, pieces, parts = stretch
        for at, data in parts[-1:]:
            if at <= start and end <= at + len(data):
                return memoryview(data)[start - at : end - at]
        if len(pieces) == 3 and not parts and pieces[0] <= start and end <= pieces[1]:
            return self._block(pieces[2], end - start)[start - pieces[0] : end - pieces[0]]
        if not pieces and not parts:
            return _ZEROS[: end - start]
        painted = bytearray(end - start)
        for i in range(0, len(pieces), 3):
            at, stop, number = pieces[i : i + 3]
            if at < end and start < stop:
                low, high = max(at, start), min(stop, end)
                painted[low - start : high - start] = self._block(number, high - low)[low - at : high - at]
        for at, data in parts:
            low, high = max(at, start), min(at + len(data), end)
            if low < high:
                painted[low - start : high - start] = memoryview(data)[low - at : high - at]
        return memoryview(painted)

    def _block(self, number: int, wanted: int) -> memoryview:
        """Return a block; of those of which little is *wanted* at a time, the last ones are kept."""
        kept = self._kept
        found = kept.get(number)
        if found is None:
            found = find_block(self.volume.data, number)
            if found is None:
                raise _GoneError
            if len(found) > 2 * wanted:
                with self._keeping:
                    kept[number] = found
                    while len(kept) > _KEPT:
                        del kept[next(iter(kept))]
        return found


def check_file(node: Node) -> None:
    """Raise what a thing that has no contents is refused by."""
    if not stat.S_ISREG(node.mode):
        raise refuse(errno.EISDIR if node.is_directory else errno.EINVAL)


def _copied(part: Part, start: int, end: int) -> Part:
    """Return of a part that may grow what lies from *start* to *end*; others as they are."""
    at, data = part
    if type(data) is not bytearray:
        return part
    low = max(start, at)
    return low, bytes(data[low - at : max(end, low) - at])
