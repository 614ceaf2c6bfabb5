from __future__ import annotations

import errno
import os
import stat
from typing import Final

import attrs

from statehold_qsfs.files._buffers import Buffer, clipped
from statehold_qsfs.files._layout import INLINE, PAGE
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._reading import check_file
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._values import BLOCK, MAX_SIZE
from statehold_qsfs.files._volume import Volume

KEEP_SIZE: Final = 1
PUNCH_HOLE: Final = 2
ZERO_RANGE: Final = 16
#: From so many bytes on that were written to a file, its full blocks are brought into the namespace.
_FLUSH: Final = 4 * 1024 * 1024
_ZEROS: Final = bytes(BLOCK)


@attrs.define(eq=False)
class Content:
    """Changes what files have: writing puts bytes into memory, and `Flushing` brings them from there.

    The lock of the volume is held by who calls.
    """

    volume: Volume

    def write(self, node: Node, data: bytes | memoryview, offset: int) -> None:
        """Put *data* at *offset*."""
        volume = self.volume
        volume.check_writable()
        check_file(node)
        end = offset + len(data)
        if offset < 0 or end > MAX_SIZE:
            raise refuse(errno.EFBIG if end > MAX_SIZE else errno.EINVAL)
        if not data:
            return
        content = node.content
        if content is not None and end <= INLINE:
            self._write_inline(node, content, data, offset, end)
        else:
            if content is not None:
                self._spill(node, content)
            self._write_blocks(node, data, offset, end)
        node.size = max(node.size, end)
        node.mtime = node.ctime = volume.now()
        volume.touch(node)
        node.waiting += len(data)
        if node.waiting >= _FLUSH:
            volume.filling[node.ino] = node
            volume.pressed()

    def _write_inline(
        self, node: Node, content: bytes, data: bytes | memoryview, offset: int, end: int
    ) -> None:
        size = len(content)
        growth = end - size
        self.volume.check_room(growth)
        if offset == 0 and growth >= 0:
            node.content = bytes(data)
        else:
            node.content = b"".join((content[:offset], bytes(max(offset - size, 0)), data, content[end:]))
        self.volume.small_bytes += len(data)
        if growth > 0:
            node.stored += growth
            self.volume.used += growth

    def _spill(self, node: Node, content: bytes) -> None:
        """Have blocks for what stood in the record itself."""
        node.content = None
        if content:
            self.volume.buffer(node, 0).put(0, content)
            self.volume.dirty_bytes += len(content)

    def _write_blocks(self, node: Node, data: bytes | memoryview, offset: int, end: int) -> None:
        volume = self.volume
        places: list[tuple[Buffer, int, int]] = []
        growth, at = 0, offset
        while at < end:
            block, start = divmod(at, BLOCK)
            stop = min(BLOCK, start + end - at)
            buffer = volume.buffer(node, block)
            places.append((buffer, start, stop))
            if stop > buffer.length:
                growth += stop - buffer.length
            at += stop - start
        volume.check_room(growth)  # before anything is written
        node.stored += growth
        volume.used += growth
        volume.dirty_bytes += end - offset
        if len(places) == 1:
            buffer.put(start, data)
            return
        view, at = memoryview(data), 0
        for buffer, start, stop in places:
            buffer.put(start, view[at : at + stop - start])
            at += stop - start

    # Cutting

    def truncate(self, node: Node, size: int) -> None:
        """Cut a file off at *size*, or let it have zeros up to there."""
        volume = self.volume
        volume.check_writable()
        check_file(node)
        if size < 0 or size > MAX_SIZE:
            raise refuse(errno.EFBIG if size > 0 else errno.EINVAL)
        content = node.content
        if content is not None and size <= INLINE:
            growth = size - len(content)
            volume.check_room(growth)
            node.content = content[:size] if growth <= 0 else content + bytes(growth)
            node.stored += growth
            volume.used += growth
        else:
            if content is not None:
                self._spill(node, content)
            if size < node.size:
                self._cut(node, size)
        node.size = size
        node.mtime = node.ctime = volume.now()
        volume.touch(node)

    def _cut(self, node: Node, size: int) -> None:
        block, rest = divmod(size, BLOCK)
        self._clear(node, block + (rest > 0), None)
        if rest:
            self._clip(node, block, rest)
        if size == 0:
            node.content = b""

    def _clip(self, node: Node, block: int, end: int) -> None:
        """Have nothing in a block from *end* on."""
        volume = self.volume
        page = volume.page(node, block // PAGE)
        buffer = node.buffers.get(block) if node.buffers else None
        pieces = page.blocks[block % PAGE] if page is not None else ()
        length = buffer.length if buffer is not None else max(pieces[1::3], default=0)
        if length <= end:
            return
        node.stored -= length - end
        volume.used -= length - end
        if buffer is not None:
            buffer.clip(end)
        if page is not None and pieces:
            page.blocks[block % PAGE], gone = clipped(pieces, end)
            volume.free(gone)
            volume.mark(page)

    def _clear(self, node: Node, first: int, last: int | None) -> None:
        """Have nothing in the blocks from *first* on, before *last* if there is one."""
        volume = self.volume
        lengths = 0
        for number, start, stop in self._pages(node, first, last):
            page = volume.page(node, number)
            assert page is not None  # noqa: S101 - it is in the runs
            for i in range(start, stop):
                pieces = page.blocks[i]
                if pieces:
                    buffer = node.buffers.get(number * PAGE + i) if node.buffers else None
                    lengths += max(pieces[1::3]) if buffer is None else 0
                    volume.free(list(pieces[2::3]))
                    page.blocks[i] = ()
            if any(page.blocks):
                volume.mark(page)
            else:
                volume.remove_page(node, number)
        if node.buffers:
            for block in [b for b in node.buffers if first <= b and (last is None or b < last)]:
                lengths += node.buffers.pop(block).length
        node.stored -= lengths
        volume.used -= lengths

    def _pages(self, node: Node, first: int, last: int | None) -> list[tuple[int, int, int]]:
        """Return the pages that have blocks from *first* to *last*, and which of their blocks those are."""
        found = []
        low = first // PAGE
        for start, end in zip(node.runs[::2], node.runs[1::2], strict=True):
            high = end if last is None else min(end, (last + PAGE - 1) // PAGE)
            for number in range(max(start, low), high):
                base = number * PAGE
                found.append((number, max(first - base, 0), PAGE if last is None else min(last - base, PAGE)))
        return found

    def allocate(self, node: Node, mode: int, offset: int, size: int) -> None:
        """Do what fallocate does."""
        volume = self.volume
        volume.check_writable()
        check_file(node)
        if offset < 0 or size <= 0:
            raise refuse(errno.EINVAL)
        if mode not in (0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE):
            raise refuse(errno.EOPNOTSUPP)
        end = offset + size
        if end > MAX_SIZE:
            raise refuse(errno.EFBIG)
        if mode & (PUNCH_HOLE | ZERO_RANGE):
            self._punch(node, offset, min(end, node.size))
            node.mtime = volume.now()
        else:
            volume.check_room(end - node.size)
        if not mode & KEEP_SIZE and end > node.size:
            self.truncate(node, end)
        node.ctime = volume.now()
        volume.touch(node)

    def _punch(self, node: Node, offset: int, end: int) -> None:
        """Have zeros from *offset* to *end*, and keep no blocks that are nothing else."""
        if offset >= end:
            return
        if node.content is not None:
            content = node.content
            node.content = b"".join((content[:offset], bytes(end - offset), content[end:]))
            return
        first, last = -(-offset // BLOCK), end // BLOCK
        if first > last:  # within one block
            self._zero(node, offset, end)
            return
        self._zero(node, offset, first * BLOCK)
        self._clear(node, first, last)
        self._zero(node, last * BLOCK, end)

    def _zero(self, node: Node, offset: int, end: int) -> None:
        block, start = divmod(offset, BLOCK)
        buffer = self.volume.buffer(node, block) if offset < end else None
        if buffer is not None:
            stop = min(start + end - offset, buffer.length)
            if start < stop:
                buffer.put(start, _ZEROS[: stop - start])
                self.volume.dirty_bytes += stop - start

    def seek(self, node: Node, offset: int, whence: int) -> int:
        """Return where data or a hole begins, from *offset* on; a block has both or neither."""
        check_file(node)
        if offset < 0 or offset >= node.size:
            raise refuse(errno.ENXIO)
        if whence not in (os.SEEK_DATA, os.SEEK_HOLE):
            raise refuse(errno.EINVAL)
        if node.content is not None:
            return offset if whence == os.SEEK_DATA else node.size
        block = offset // BLOCK
        last = (node.size - 1) // BLOCK
        while block <= last:
            if self._has(node, block) == (whence == os.SEEK_DATA):
                return max(offset, block * BLOCK)
            block = self._next(node, block)
        if whence == os.SEEK_DATA:
            raise refuse(errno.ENXIO)
        return node.size

    def _has(self, node: Node, block: int) -> bool:
        if node.buffers and block in node.buffers:
            return True
        page = self.volume.page(node, block // PAGE)
        return page is not None and bool(page.blocks[block % PAGE])

    def _next(self, node: Node, block: int) -> int:
        """Return the next block that may differ from *block*: holes of any size are one step."""
        page = block // PAGE
        if node.has_page(page):
            return block + 1
        nexts = [start * PAGE for start in node.runs[::2] if start > page]
        nexts += [b for b in node.buffers or () if b > block]
        return min(nexts, default=1 << 62)

    def drop(self, node: Node) -> None:
        """Free all that a file has."""
        if stat.S_ISREG(node.mode):
            self._clear(node, 0, None)
            self.volume.used -= node.stored
            node.stored = 0
        self.volume.buffered.pop(node.ino, None)
