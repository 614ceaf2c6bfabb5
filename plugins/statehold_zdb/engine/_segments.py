from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import attrs

from statehold_zdb.engine._descriptors import Descriptors
from statehold_zdb.engine._errors import ZdbMissingError, ZdbReadError
from statehold_zdb.engine._position import OFFSET_MASK, PLACE_MASK, SLOT_SHIFT, SPAN_BITS
from statehold_zdb.engine._record import HEADER_SIZE, MAX_KEY, Record, parse
from statehold_zdb.engine._segment import Segment

_HEAD_SPAN: Final = HEADER_SIZE + MAX_KEY


@attrs.define(eq=False, kw_only=True)
class Segments:
    """The segments of one namespace: which there are, and what stands at a position in them.

    Not for several threads at once, but for `read_part` and `head_of`, which may run beside all else.

    Attributes:
        name: of the namespace.
        data: the folder of the data.
        index: the folder of the index files.
        seed: of the namespace, with which the CRCs of its records begin.
        slots: the segments by what stands for them in positions.
        numbers: the segments by number.
        generation: how often a compaction has replaced a segment.

    """

    name: str
    data: str
    index: str
    seed: int
    descriptors: Descriptors
    slots: dict[int, Segment] = attrs.field(factory=dict)
    numbers: dict[int, Segment] = attrs.field(factory=dict)
    generation: int = 0

    def path(self, number: int) -> str:
        """Return where the data of a segment are."""
        return f"{self.data}/d{number}"

    def index_path(self, number: int) -> str:
        """Return where the index of a segment is."""
        return f"{self.index}/i{number}"

    def add(self, segment: Segment) -> None:
        """Have a segment that is there."""
        self.slots[segment.slot] = self.numbers[segment.number] = segment

    def forget(self, segments: Sequence[Segment]) -> None:
        """Know nothing of *segments* any more."""
        for segment in segments:
            self.descriptors.forget(segment)
            self.slots.pop(segment.slot, None)
            if self.numbers.get(segment.number) is segment:
                del self.numbers[segment.number]

    def filed(self, position: int) -> int:
        """Return *position* as it is written to files: by the segment's number, not by its slot."""
        slot = position >> SLOT_SHIFT
        return self.slots[slot].number << SLOT_SHIFT | position & PLACE_MASK

    def head_of(self, position: int) -> Record | None:
        """Return the record at *position* without its payload, or None if it is damaged."""
        return parse(self.seed, self._read(position, _HEAD_SPAN))

    def read_part(self, position: int, start: int, size: int) -> bytes:
        """Return *size* bytes of the record at *position*, from its byte *start* on."""
        return self._read(position + (start >> 3 << 8), start % 8 + size)[start % 8 :]

    def _read(self, position: int, size: int) -> bytes:
        segment = self.slots.get(position >> SLOT_SHIFT)
        if segment is None:
            raise ZdbReadError(f"{self.name}: there is no segment {position >> SLOT_SHIFT}")
        try:
            file = segment.file or self.descriptors.get(segment)
            segment.used = True
            return os.pread(file.fd, size, (position >> SPAN_BITS & OFFSET_MASK) << 3)
        except FileNotFoundError as error:
            raise ZdbMissingError(
                f"{self.name}: segment {segment.number} is not on this disk",
                segment=segment.number,
                hint=f"Bring {segment.path} back, or have a hook `missing-data` that does",
            ) from error
        except OSError as error:
            raise ZdbReadError(f"{self.name}: cannot read {segment.path}: {error}") from error
