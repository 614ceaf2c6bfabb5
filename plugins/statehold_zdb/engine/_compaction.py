"""Giving back what nobody needs: closed segments are written anew with the records that keys stand at.

A segment keeps its number, and its records their order and numbers, so scans go on as if nothing had
happened.
In memory the new file has a slot of its own: a read finds either the old file or the new one, and the old one
is let go when the last reader has done with it.

A tombstone stays as long as a version of its key may stand in an older segment; else a start, which reads
only files, would bring the key back.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from statehold_zdb.engine._blocks import TOMBSTONE, Block, Entry, Totals, is_closed, read_blocks
from statehold_zdb.engine._crc import crc32
from statehold_zdb.engine._descriptors import File
from statehold_zdb.engine._errors import ZdbReadError, ZdbWriteError
from statehold_zdb.engine._indexing import BLOCK_ENTRIES
from statehold_zdb.engine._keys import Keys
from statehold_zdb.engine._log import Log
from statehold_zdb.engine._position import OFFSET_MASK, PLACE_MASK, SLOT_SHIFT, pack
from statehold_zdb.engine._record import HEADER_SIZE as RECORD_HEADER
from statehold_zdb.engine._record import alone, parse
from statehold_zdb.engine._segment import DATA_MARK, HEADER_SIZE, INDEX_MARK, Segment

_FIRST_SLOT: Final = 1 << 22
_CHUNK: Final = 1024 * 1024
#: The part of a segment that is elsewhere of which nobody needs so much that it is brought to be compacted.
_WORTH_A_FETCH: Final = 0.5


@attrs.frozen
class _Kept:
    entry: Entry
    offset: int
    length: int


@attrs.define(eq=False)
class Compaction:
    """Compacts the closed segments of one namespace, the oldest first.

    Attributes:
        sync: returns when all that was written survives a loss of power; what takes the place of a record
            must, before that goes.
        flush: writes what is staged, or undoes it: what is undone comes back to where it stood.
        removing: is told of a segment that is about to be removed.
        fetch: brings the data of a segment that is elsewhere, and says whether they are here.

    """

    _log: Log
    _keys: Keys
    _lock: threading.RLock
    _say: Callable[[str], None]
    sync: Callable[[], None]
    flush: Callable[[], None]
    fetch: Callable[[Segment], bool] = lambda _: False
    removing: Callable[[Segment], None] = lambda _: None

    def run(self, dead: float) -> int:
        """Compact segments of which at least the part *dead* is not needed; return the bytes given back."""
        log = self._log
        given_back = 0
        # As long as no older segment has a version that is not the last one, tombstones can go.
        clean = True
        for number in sorted(log.numbers):
            segment = log.numbers[number]
            if segment is log.active or not log.is_indexed(segment):
                clean = False  # also an older one, whose index a start has just made anew
                continue
            try:
                size = Path(segment.path).stat().st_size
            except FileNotFoundError:
                size = 0
            if not size and not is_closed(segment.index_path):
                clean = False
                continue
            sure = partial(self._check_kept, segment, undone=log.undone, tombstones=not clean)
            try:
                kept, dropped = self._needed(segment, tombstones=not clean)
            except ZdbReadError as error:
                self._say(f"segment {number} stays as it is: {error.message}")
                clean = False
                continue
            length = HEADER_SIZE + sum(record.length for record in kept)
            if not dropped and length == (size or segment.indexed):
                continue
            # What is elsewhere is not brought for a little.
            if 1 - length / (size or segment.indexed) < (dead if size else max(dead, _WORTH_A_FETCH)):
                clean = False
                continue
            try:
                if not size and kept:
                    if not self.fetch(segment):
                        clean = False
                        continue
                    size = Path(segment.path).stat().st_size
                given_back += self._replace(segment, kept, size, sure)
            except FileNotFoundError:
                clean = False  # it was evicted meanwhile
            except ZdbReadError as error:
                self._say(f"segment {number} stays as it is: {error.message}")
                clean = False
            except OSError as error:
                raise ZdbWriteError(
                    f"{log.name}: cannot write segment {number} anew: {error}",
                    hint="It stays as it is; a compaction needs room for one segment",
                ) from error
        return given_back

    def _needed(self, segment: Segment, *, tombstones: bool) -> tuple[list[_Kept], int]:
        """Return the records that stay, and how many do not; ZdbReadError if the index does not say all."""
        get = self._keys.get
        kept: list[_Kept] = []
        dropped = 0
        slot = segment.slot << SLOT_SHIFT
        end = HEADER_SIZE
        for _, block in read_blocks(segment.index_path, salt=segment.salt or None):
            end = block.totals.end
            for entry in block.entries():
                at = get(entry.key)
                if entry.position & TOMBSTONE:
                    stays = tombstones and at is None
                else:
                    stays = at == entry.position & PLACE_MASK | slot
                if stays:
                    kept.append(_Kept(entry, _offset(entry.position), length_of(entry)))
                else:
                    dropped += 1
        if end < segment.indexed:
            raise ZdbReadError(
                f"{self._log.name}: {segment.index_path} is damaged, a reload makes it anew from the data"
            )
        return kept, dropped

    def _check_kept(self, segment: Segment, kept: Sequence[_Kept], *, undone: int, tombstones: bool) -> None:
        """Raise ZdbReadError if more of *segment* is needed than *kept*, as writes were undone meanwhile.

        What was staged when the records were chosen had taken their place then.
        """
        if self._log.undone != undone:
            stays, _ = self._needed(segment, tombstones=tombstones)
            if not {record.offset for record in stays} <= {record.offset for record in kept}:
                raise ZdbReadError(f"{self._log.name}: what was to take the place of its records was refused")

    def _replace(
        self, segment: Segment, kept: Sequence[_Kept], size: int, sure: Callable[[Sequence[_Kept]], None]
    ) -> int:
        log = self._log
        if not kept:
            return self._remove(segment, size, sure)
        new = Segment(segment.number, self._slot(), segment.path, segment.index_path, dirty=True)
        head = log.header(segment.number)
        new.salt = head.salt
        data, index = Path(f"{segment.path}.new"), Path(f"{segment.index_path}.new")
        try:
            moved = self._copy(segment, kept, data, head.encode(DATA_MARK))
            end = _offset(moved[-1].position) + kept[-1].length
            self._index(moved, kept, index, head.encode(INDEX_MARK))
            new.size = new.indexed = end
            self.sync()
            with self._lock:
                self._flush_staged()
                sure(kept)
                self._switch(segment, new, kept, moved)
        except BaseException:
            for path in (data, index):
                path.unlink(missing_ok=True)
            raise
        for folder in {log.data, log.index}:
            log.disk.sync_folder(folder)
        return size - end

    def _switch(self, old: Segment, new: Segment, kept: Sequence[_Kept], moved: Sequence[Entry]) -> None:
        """Have *new* in the place of *old*."""
        log = self._log
        pinned = log.descriptors.get(old)  # who reads it meanwhile goes on with what it was
        Path(f"{new.path}.new").replace(new.path)
        try:
            Path(f"{new.index_path}.new").replace(new.index_path)
        except OSError as error:
            raise ZdbWriteError(
                f"{log.name}: cannot write {new.index_path}: {error}",
                hint="Mend the disk, then reload the namespace: its data are whole",
            ) from error
        finally:  # the data are others by now in any case
            self._take(old, new, kept, moved)
        del pinned

    def _take(self, old: Segment, new: Segment, kept: Sequence[_Kept], moved: Sequence[Entry]) -> None:
        log, keys, get = self._log, self._keys, self._keys.get
        log.slots[new.slot] = new
        old_slot, slot = old.slot << SLOT_SHIFT, new.slot << SLOT_SHIFT
        for before, entry in zip(kept, moved, strict=True):
            if get(entry.key) == before.entry.position & PLACE_MASK | old_slot:
                keys.put(entry.key, entry.position & PLACE_MASK | slot)
        log.descriptors.forget(old)
        log.slots.pop(old.slot)
        log.numbers[old.number] = new
        log.generation += 1

    def _remove(self, segment: Segment, size: int, sure: Callable[[Sequence[_Kept]], None]) -> int:
        """Remove a segment that has no record that is needed; return the bytes given back."""
        log = self._log
        self.sync()
        with self._lock:
            self._flush_staged()
            sure(())
            self.removing(segment)
            log.forget([segment])
            log.generation += 1
            Path(segment.path).unlink(missing_ok=True)
            Path(segment.index_path).unlink(missing_ok=True)
        for folder in {log.data, log.index}:
            log.disk.sync_folder(folder)
        return size

    def _flush_staged(self) -> None:
        with contextlib.suppress(ZdbWriteError):  # those whose writes they are hear of it
            self.flush()

    def _copy(self, segment: Segment, kept: Sequence[_Kept], path: Path, head: bytes) -> list[Entry]:
        """Write the records that stay, and return them as they stand in the new file."""
        log = self._log
        source = File(segment.path, os.O_RDONLY)
        target = File(str(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        moved: list[Entry] = []
        parts, staged, at = [head], len(head), 0
        for record in kept:
            data = os.pread(source.fd, record.length, record.offset)
            found = parse(log.seed, data)
            if (
                found is None
                or found.key != record.entry.key
                or found.number != record.entry.number
                or crc32(data[found.start : found.start + found.size]) != found.crc
            ):
                raise ZdbReadError(f"{log.name}: what stands at {record.offset} is not what was written")
            position = pack(segment.number, at + staged, record.length)
            position |= record.entry.position & TOMBSTONE
            moved.append(record.entry._replace(position=position))
            parts.append(alone(log.seed, found, data))
            staged += record.length
            if staged >= _CHUNK:
                log.disk.write(target.fd, parts, staged, at)
                at += staged
                parts, staged = [], 0
        log.disk.write(target.fd, parts, staged, at)
        log.disk.sync(target.fd)
        return moved

    def _index(self, moved: Sequence[Entry], kept: Sequence[_Kept], path: Path, head: bytes) -> None:
        log = self._log
        target = File(str(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        totals = Totals(HEADER_SIZE, log.live, log.entries, log.next_id)
        parts = [head]
        for i in range(0, len(moved), BLOCK_ENTRIES):
            some = moved[i : i + BLOCK_ENTRIES]
            start = totals.end
            totals = totals._replace(end=_offset(some[-1].position) + kept[i + len(some) - 1].length)
            parts.append(Block.of(some, start, totals).encode())
        parts.append(Block.of((), totals.end, totals).encode())
        data = b"".join(parts)
        log.disk.write(target.fd, [data], len(data), 0)
        log.disk.sync(target.fd)

    def _slot(self) -> int:
        return max(_FIRST_SLOT - 1, *self._log.slots) + 1


def _offset(position: int) -> int:
    return (position >> 8 & OFFSET_MASK) << 3


def length_of(entry: Entry) -> int:
    """Return the bytes that the record of *entry* takes in its segment."""
    return RECORD_HEADER + len(entry.key) + entry.size + 7 & ~7
