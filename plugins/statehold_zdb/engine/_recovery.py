"""Opening a namespace: its index, as the files have it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from statehold_zdb.engine._blocks import TOMBSTONE, UNKNOWN, Block, Entry, Totals, is_closed, read_blocks
from statehold_zdb.engine._errors import ZdbError, ZdbWriteError
from statehold_zdb.engine._indexing import BLOCK_ENTRIES
from statehold_zdb.engine._keys import ID_SIZE, Keys
from statehold_zdb.engine._log import Log
from statehold_zdb.engine._replay import replay
from statehold_zdb.engine._segment import (
    DATA_MARK,
    HEADER_SIZE,
    INDEX_MARK,
    Segment,
    read_header,
)
from statehold_zdb.engine._settings import FILE

_NAME: Final = re.compile(r"([di])(0|[1-9][0-9]{0,6})")


@attrs.define(eq=False, kw_only=True)
class Recovery:
    """Fills a log and its keys from the files of a namespace, and mends what a crash or damage has left.

    What it finds is told to `say`, line by line.
    """

    log: Log
    keys: Keys
    sequential: bool
    read_only: bool
    say: Callable[[str], None]
    fetch: Callable[[Segment], bool]
    _tail: int = attrs.field(default=HEADER_SIZE, init=False)
    #: The number of the last record; `log.number` may be a later one, of which a compaction has left nothing.
    _last: int = attrs.field(default=0, init=False)
    #: Segments whose index does not say that it is whole, with the last number and the end of each.
    _unclosed: list[tuple[Segment, int, int]] = attrs.field(factory=list, init=False)

    def run(self) -> None:
        """Load every segment; the last one is then written on in, unless all is read only."""
        for segment in self.find(keep=self.read_only):
            self.load(segment)
        self.finish()

    def find(self, *, keep: bool) -> list[Segment]:
        """Return the segments whose data or index is there, in their order.

        Unless told to *keep* them, removes what a compaction that was cut short has left.
        """
        log = self.log
        numbers: set[int] = set()
        for folder in (log.data, log.index):
            for name in os.listdir(folder):  # noqa: PTH208 - names are all that is asked for
                if match := _NAME.fullmatch(name):
                    numbers.add(int(match[2]))
                elif name.endswith(".new") and not keep:
                    Path(folder, name).unlink()  # of a compaction that did not come to its end
        return [Segment(n, n, log.path(n), log.index_path(n)) for n in sorted(numbers)]

    def load(self, segment: Segment) -> None:
        """Have the records of *segment*, from its index file and, beyond that, from its data."""
        log = self.log
        salt = self._look(segment)
        if segment.size is None and not is_closed(segment.index_path) and self.fetch(segment):
            salt = self._look(segment)
        log.add(segment)
        covered, index_end, closed = HEADER_SIZE, _head_end(segment, salt), False
        for end, block in read_blocks(segment.index_path, salt=salt):
            if block.start != covered:
                break
            if segment.size is not None and block.totals.end > segment.size:
                self.say(
                    f"segment {segment.number}: of {block.totals.end:,} bytes that its index knows "
                    f"{segment.size:,} are there, the rest is lost"
                )
                break
            closed = not block.keys
            if not closed:
                self._apply_block(block)
            elif block.totals.live != UNKNOWN:
                log.live, segment.closed_at = block.totals.live, block.totals.end
            covered, index_end = block.totals.end, end
        self._tail = segment.indexed = covered
        if segment.size is None and not closed:
            self.say(f"segment {segment.number} is not on this disk, and its index is not whole")
        elif segment.size is not None and covered < segment.size:
            self._replay(segment, covered, index_end)
        elif segment.size is not None and not self.read_only:
            self._cut_index(segment, index_end)
        if segment.size is not None and not closed:
            self._unclosed.append((segment, self._last, self._tail))

    def finish(self) -> None:
        """Write on where the last record ends."""
        log = self.log
        if log.live == UNKNOWN:
            self._count()
        log.entries = len(self.keys)
        log.synced = log.number
        if self.read_only or not log.numbers:
            return
        last = log.numbers[max(log.numbers)]
        for segment, number, end in self._unclosed:
            if segment is not last:  # a crash came before those who are to hear of it were told
                totals = Totals(end, log.live, log.entries, log.next_id)
                log.indexing.note(number, segment, totals, closes=True)
        end = self._tail
        if last.size is None or last.salt == 0:
            return  # a new one is begun
        if end < last.size:
            self.say(
                f"segment {last.number}: its last {last.size - end:,} bytes are no record, and are cut off"
            )
            os.truncate(last.path, end)
        last.size = end
        log.resume(last, end)

    def _look(self, segment: Segment) -> int | None:
        """Find out about the data of a segment, and return the salt that its index must have."""
        try:
            segment.size = Path(segment.path).stat().st_size
            header = read_header(segment.path, DATA_MARK)
        except FileNotFoundError:
            return None
        if header is None:
            self.say(f"the header of {segment.path} is damaged")
            return None
        log = self.log
        if header.seed != log.seed:
            if segment.size <= HEADER_SIZE:
                return None  # it is not written on in: no start would take that for records of this one
            raise ZdbError(
                f"{log.name}: {segment.path} has records of another namespace than its settings are of",
                hint=f"Bring {Path(log.index, FILE)} back that belongs to the data",
            )
        segment.salt = header.salt
        log.next_id = max(log.next_id, header.next_id)
        if header.first - 1 > self._last:
            # A compaction has left nothing of the last records before: their numbers are those of no others,
            # and what was counted before them no longer holds.
            log.number = max(log.number, header.first - 1)
            log.live = UNKNOWN
        return header.salt

    def _apply_block(self, block: Block) -> None:
        log, keys = self.log, self.keys
        if max(block.positions) < TOMBSTONE:
            keys.put_all(block.keys, block.positions)
        else:
            for key, position in zip(block.keys, block.positions, strict=True):
                if position & TOMBSTONE:
                    keys.drop(key)
                else:
                    keys.put(key, position)
        self._last = block.numbers[-1]
        log.number = max(log.number, self._last)
        log.live = block.totals.live
        log.next_id = max(log.next_id, block.totals.next_id)

    def _replay(self, segment: Segment, start: int, index_end: int) -> None:
        """Have the records from *start* on, and put them into the index file."""
        assert segment.size is not None  # noqa: S101 - the caller has looked
        expected = start
        fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        index = None if self.read_only else self._open_index(segment, index_end)
        try:
            if index is not None:
                self._sync(segment, fd)
            for stretch in replay(fd, self.log.seed, start, segment.size, segment.slot, most=BLOCK_ENTRIES):
                if stretch.start != expected:
                    self.say(
                        f"segment {segment.number}: {stretch.start - expected:,} bytes from {expected:,} on "
                        "are damaged, what follows is whole"
                    )
                self._apply(stretch.entries)
                totals = Totals(stretch.end, UNKNOWN, len(self.keys), self.log.next_id)
                # What follows a block that could not be written stays in memory, too.
                if index is not None and segment.indexed == expected:
                    self._write_block(segment, index, Block.of(stretch.entries, expected, totals))
                if segment.indexed != stretch.end:
                    self._keep_pending(segment, stretch.entries, totals)
                expected = stretch.end
                self._tail = stretch.end
        finally:
            os.close(fd)
            if index is not None:
                os.close(index)

    def _write_block(self, segment: Segment, index: int, block: Block) -> None:
        """Put records into an index file; where the disk refuses that, say so."""
        data = block.encode()
        end = os.fstat(index).st_size
        try:
            self.log.disk.write(index, [data], len(data), end)
        except OSError as error:
            # The data are what counts; the next start reads more of them, then.
            self.say(f"cannot write {segment.index_path}: {error}")
            os.ftruncate(index, end)
        else:
            segment.indexed = block.totals.end

    def _keep_pending(self, segment: Segment, entries: Sequence[Entry], totals: Totals) -> None:
        """Have in memory what is in no index file."""
        indexing = self.log.indexing
        for key, position, size, stamp, number in entries:
            indexing.pending.add(key, position, size, stamp, number, None)
        if not self.read_only:
            indexing.note(entries[-1].number, segment, totals)

    def _sync(self, segment: Segment, fd: int) -> None:
        """Sync what an engine that was killed has perhaps not: from now on it counts as what survives."""
        log = self.log
        try:
            log.disk.sync_folder(log.data)
            log.disk.sync(fd)
        except OSError as error:
            raise ZdbWriteError(
                f"{log.name}: cannot sync {segment.path}: {error}",
                hint="Mend the disk, or open it to read only",
            ) from error

    def _apply(self, entries: Sequence[Entry]) -> None:
        log, keys = self.log, self.keys
        for entry in entries:
            if entry.position & TOMBSTONE:
                keys.drop(entry.key)
            else:
                keys.put(entry.key, entry.position)
            if self.sequential and len(entry.key) == ID_SIZE:
                log.next_id = max(log.next_id, int.from_bytes(entry.key, "little") + 1)
        self._last = entries[-1].number
        log.number = max(log.number, self._last)
        log.live = UNKNOWN

    def _open_index(self, segment: Segment, end: int) -> int:
        """Return the index file, cut after its last good block, or a new one."""
        try:
            fd = os.open(segment.index_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(fd, end)
                if not end:
                    head = self.log.header(segment.number)._replace(salt=segment.salt).encode(INDEX_MARK)
                    self.log.disk.write(fd, [head], len(head), 0)
            except OSError:
                os.close(fd)
                raise
        except OSError as error:
            raise ZdbWriteError(
                f"{self.log.name}: cannot write {segment.index_path}: {error}",
                hint="Make room on the disk, or mend it, or open it to read only",
            ) from error
        return fd

    def _cut_index(self, segment: Segment, end: int) -> None:
        """Take from an index file what comes after its last good block."""
        try:
            size = Path(segment.index_path).stat().st_size
        except FileNotFoundError:
            size = -1
        if size != (end or HEADER_SIZE) or not end:
            os.close(self._open_index(segment, end))

    def _count(self) -> None:
        """Count the payload bytes of all keys, from the index files.

        While records are read from the data that cannot be done: of what they have replaced, a compaction may
        have left nothing.
        """
        live = 0
        get = self.keys.get
        for segment in self.log.numbers.values():
            for _, block in read_blocks(segment.index_path, salt=segment.salt or None):
                for key, position, size in zip(block.keys, block.positions, block.sizes, strict=True):
                    if get(key) == position:
                        live += size
        pending = self.log.indexing.pending.rows()
        live += sum(size for key, position, size, *_ in pending if get(key) == position)
        self.log.live = live


def _head_end(segment: Segment, salt: int | None) -> int:
    """Return where the header of an index file ends; 0 where there is none of data with that *salt*."""
    try:
        head = read_header(segment.index_path, INDEX_MARK)
    except FileNotFoundError:
        return 0
    return HEADER_SIZE if head is not None and salt in (None, head.salt) else 0
