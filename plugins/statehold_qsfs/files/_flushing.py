from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from statehold_qsfs.files._buffers import Buffer, Part, merged, overlay
from statehold_qsfs.files._layout import PAGE, Pieces
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._records import Staging, find_here, io_error
from statehold_qsfs.files._values import BLOCK
from statehold_qsfs.files._volume import Volume
from statehold_zdb.engine import ZdbError

#: So many blocks are written at once: with four parts each, they are one call of the operating system.
_AT_ONCE: Final = 200
#: From so many pieces on, a block is written anew as one.
_MOST_PIECES: Final = 24
#: Pieces of up to so many bytes that follow one another become one, without the rest of their block.
_SMALL: Final = 16 * 1024

_Written = tuple[Node, int, Buffer, list[tuple[int, int, int]]]


@attrs.define(eq=False)
class Flushing:
    """Brings buffers into the namespace of the data.

    A part of a block that was written becomes a piece of its own, over those that are there: a small write
    costs what it has. Only when there are many is the block read, and written as one.
    """

    volume: Volume
    #: Whose turn it is to have blocks written: taken before the lock of the volume.
    turn: threading.RLock = attrs.field(factory=threading.RLock, init=False)

    def all(self) -> None:
        """Bring all there is into the namespace; what it refuses stays in memory, and is an OSError.

        Who calls it has the turn, and the lock of the volume.
        """
        volume = self.volume
        self._flush((node, node.buffers or {}) for node in list(volume.buffered.values()))
        volume.buffered.clear()
        volume.dirty_bytes = 0

    def early(self) -> None:
        """Bring buffers into the namespace that have all of their block, of files that were much written.

        They are written without the lock, so that others go on. If that is refused, they stay in memory: a
        commit will tell.
        """
        volume = self.volume
        while volume.filling:
            with self.turn:
                with volume.lock:
                    _, node = volume.filling.popitem()
                    node.waiting = 0
                    staging = Staging(volume.data)
                    taken = self._take_full(node, staging)
                try:
                    staging.write()
                except ZdbError:
                    self._give_up(taken)
                    return
                with volume.lock:
                    kept = [each for each in taken if _is_same(each)]
                    volume.free([number for each in taken if each not in kept for _, _, number in each[3]])
                    volume.high = max(volume.high, *(each[3][0][2] + 1 for each in taken), 0)
                    self._settle(kept)
                    volume.dirty_bytes -= len(kept) * BLOCK

    def _take_full(self, node: Node, staging: Staging) -> list[_Written]:
        taken: list[_Written] = []
        try:
            for block, buffer in (node.buffers or {}).items():
                if len(buffer.parts) == 1 and len(buffer.parts[0][1]) == BLOCK:
                    taken.append((node, block, buffer, []))
                    buffer.untouched = True
                    taken[-1][3].append((0, BLOCK, staging.add(buffer.parts[0][1])))
                    if len(taken) == _AT_ONCE:
                        break
        except ZdbError:
            self._give_up(taken)
            return []
        return taken

    def _flush(self, todo: Iterable[tuple[Node, dict[int, Buffer]]]) -> None:
        staging = Staging(self.volume.data)
        written: list[_Written] = []
        count = 0
        try:
            for node, buffers in todo:
                for block, buffer in list(buffers.items()):
                    numbers: list[tuple[int, int, int]] = []
                    written.append((node, block, buffer, numbers))
                    for start, part in self._parts(node, block, buffer):
                        numbers.append((start, start + len(part), staging.add(part)))
                    count += len(numbers)
                    if count >= _AT_ONCE:
                        staging.write()
                        self._settle(written)
                        written, count = [], 0
            staging.write()
        except ZdbError as error:
            self._give_up(written)
            raise io_error(error) from error
        self._settle(written)

    def _settle(self, written: Sequence[_Written]) -> None:
        """Have the maps say where things are now."""
        volume = self.volume
        for node, block, _, numbers in written:
            if node.buffers:
                del node.buffers[block]
            if not numbers:
                continue
            page = volume.writable_page(node, block // PAGE)
            pieces = page.blocks[block % PAGE]
            for start, end, number in numbers:
                pieces, hidden = overlay(pieces, start, end, number)
                volume.free(hidden)
                volume.high = max(volume.high, number + 1)
            page.blocks[block % PAGE] = pieces
            volume.mark(page)
            volume.touch(node)

    def _give_up(self, written: Sequence[_Written]) -> None:
        """Have nothing in the namespace of what could not be brought there as a whole."""
        staging = Staging(self.volume.data)
        with contextlib.suppress(ZdbError):
            staging.delete(number for *_, numbers in written for _, _, number in numbers)
            staging.write()

    def _parts(self, node: Node, block: int, buffer: Buffer) -> Sequence[Part]:
        parts = merged(buffer.parts) if buffer.parts else ()
        page = self.volume.page(node, block // PAGE)
        pieces = page.blocks[block % PAGE] if page is not None else ()
        if len(pieces) // 3 + len(parts) <= _MOST_PIECES or not parts:
            return parts
        start, end = _tail(pieces, parts) or (0, buffer.length)
        return self._joined(pieces, parts, start, end) or parts

    def _joined(self, pieces: Pieces, parts: Sequence[Part], start: int, end: int) -> Sequence[Part]:
        """Return all that there is from *start* to *end*; nothing if it is not all on this disk."""
        painted = bytearray(end - start)
        for i in range(0, len(pieces), 3):
            low, high = max(pieces[i], start), min(pieces[i + 1], end)
            if low < high:
                found = find_here(self.volume.data, pieces[i + 2])
                if found is None:
                    return ()
                painted[low - start : high - start] = found[low - pieces[i] : high - pieces[i]]
        for at, part in parts:
            low, high = max(at, start), min(at + len(part), end)
            if low < high:
                painted[low - start : high - start] = memoryview(part)[low - at : high - at]
        return [(start, memoryview(painted))]


def _is_same(written: _Written) -> bool:
    """Whether a buffer still is what was written of it."""
    node, block, buffer, _ = written
    return buffer.untouched and (node.buffers or {}).get(block) is buffer


def _tail(pieces: Pieces, parts: Sequence[Part]) -> tuple[int, int] | None:
    """Return the range of small pieces that follow one another up to what is written now, if it is so."""
    if len(parts) > 1:
        return None
    start, part = parts[0]
    end = start + len(part)
    count = 0
    for i in range(len(pieces) - 3, -1, -3):
        if pieces[i + 1] != start or pieces[i + 1] - pieces[i] > _SMALL:
            break
        start = pieces[i]
        count += 1
    return (start, end) if count >= _MOST_PIECES // 2 else None
