"""All namespaces at one moment: what a copy has to have so that it is what a `kill -9` would have left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import attrs

from statehold_zdb.engine._segment import (
    DATA_MARK,
    HEADER_SIZE,
    INDEX_MARK,
    Segment,
    SegmentHeader,
    read_header,
)
from statehold_zdb.engine._settings import Settings


@attrs.frozen
class Part:
    """A segment, at the moment of a cut.

    Its bytes up to `end` do not change as long as its salt is the same: they are appended to, and a
    compaction makes a file with another salt.

    Attributes:
        number: of the segment.
        salt: of its header.
        end: the bytes that count.
        closed: whether nothing more is appended, and its index file is whole.
        path: where its data are, if they are on this disk.
        index_path: where its index file is.

    """

    number: int
    salt: int
    end: int
    closed: bool
    path: str
    index_path: str

    def open(self) -> BinaryIO:
        """Return its data, open to be read; FileNotFoundError if they are not here, or are others by now."""
        return self._open(self.path, DATA_MARK)

    def open_index(self) -> BinaryIO:
        """Return its index file, open to be read; as `open`."""
        return self._open(self.index_path, INDEX_MARK)

    def _open(self, path: str, mark: bytes) -> BinaryIO:
        file = Path(path).open("rb")  # noqa: SIM115 - the caller closes it
        header = SegmentHeader.decode(file.read(HEADER_SIZE), mark)
        if header is None or header.salt != self.salt:
            file.close()
            raise FileNotFoundError(f"{path} is not what it was any more")
        file.seek(0)
        return file


@attrs.frozen
class Cut:
    """A namespace, at the moment of a cut.

    Attributes:
        settings: what it is told to be.
        number: of its last record.
        parts: its segments, the oldest first.

    """

    settings: Settings
    number: int
    parts: Sequence[Part]


def part_of(segment: Segment, *, end: int | None, closed: bool) -> Part:
    """Return *segment* as it is now; *end* where it is known otherwise than by its file."""
    if closed and segment.part is not None:
        return segment.part
    salt = segment.salt
    if not salt:  # its data were not here when the namespace was opened
        try:
            header = read_header(segment.index_path, INDEX_MARK)
        except FileNotFoundError:
            header = None
        salt = segment.salt = header.salt if header is not None else 0
    size = end if end is not None else segment.size if segment.size is not None else segment.indexed
    made = Part(segment.number, salt, size, closed, segment.path, segment.index_path)
    if closed:
        segment.part = made
    return made
