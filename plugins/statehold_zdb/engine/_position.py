"""Where a record stands, in one int.

An index has one for each key, so its size counts: below 2**60 Python keeps an int in 32 bytes. It holds,
from the top: 23 bits for the slot of the segment, 29 bits for the offset in units of 8 bytes, 8 bits for the
span, which says how many bytes to read so that the whole record is among them. Spans grow by a sixteenth,
so that at most that much is read in vain.
"""

from __future__ import annotations

from typing import Final

ALIGNMENT: Final = 8
OFFSET_BITS: Final = 29
SPAN_BITS: Final = 8
SLOT_SHIFT: Final = OFFSET_BITS + SPAN_BITS
OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1
SPAN_MASK: Final = (1 << SPAN_BITS) - 1
PLACE_MASK: Final = (1 << SLOT_SHIFT) - 1
MAX_SLOT: Final = (1 << 23) - 1

_SMALLEST: Final = 256

#: How many bytes to read, by span.
SPANS: Final = (_SMALLEST, *(((i % 16) + 17) << (i // 16 + 4) for i in range(SPAN_MASK)))


def span_of(size: int) -> int:
    """Return the smallest span that *size* bytes fit in."""
    if size <= _SMALLEST:
        return 0
    last = size - 1
    shift = last.bit_length() - 5
    return (shift - 4) * 16 + (last >> shift) - 15


#: The span of a record by a 64th of its size, for those up to 16 KiB, of which a span is a multiple of 64
#: or the record is small enough that reading the next larger one costs nothing.
SPANS_OF_SMALL: Final = bytes(span_of((i + 1) * 64) for i in range(256))
#: How large a record `SPANS_OF_SMALL` goes to.
SMALL: Final = 64 * 256


def pack(slot: int, offset: int, size: int) -> int:
    """Return the position of a record of *size* bytes at *offset*, a multiple of 8."""
    span = SPANS_OF_SMALL[(size - 1) >> 6] if size <= SMALL else span_of(size)
    return slot << SLOT_SHIFT | offset << (SPAN_BITS - 3) | span


def slot_of(position: int) -> int:
    """Return the slot of the segment."""
    return position >> SLOT_SHIFT


def offset_of(position: int) -> int:
    """Return the offset in bytes."""
    return (position >> SPAN_BITS & OFFSET_MASK) << 3


def span_bytes(position: int) -> int:
    """Return how many bytes to read at the offset."""
    return SPANS[position & SPAN_MASK]
