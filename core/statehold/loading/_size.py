"""How many values an answer holds: each takes more memory once it is decoded than it takes in msgpack."""

from __future__ import annotations

from typing import Final

#: So many values may be in an answer.
MOST_VALUES: Final = 1 << 20

#: By its first byte, how many bytes a value has beside; below 0 where its length stands there.
_BESIDE: Final = (
    *[0] * 0x80,  # small numbers
    *[0] * 0x20,  # small maps and arrays, whose members follow
    *range(0x20),  # short texts
    *(0, 0, 0, 0),  # nil, (no code), false, true
    *(-1, -2, -4),  # bytes
    *(2, 3, 5),  # extensions with a length, and their type
    *(4, 8),  # floats
    *(1, 2, 4, 8, 1, 2, 4, 8),  # integers
    *(1, 1, 1, 1, 1),  # extensions of 1, 2, 4, 8 and 16 bytes: their type
    *(-1, -2, -4),  # texts
    *(2, 4, 2, 4),  # arrays and maps
    *[0] * 0x20,  # small negative numbers
)

_FIXED: Final = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_EXTENSIONS: Final = frozenset({0xC7, 0xC8, 0xC9, *_FIXED})


def has_too_many(data: bytes, *, most: int = MOST_VALUES) -> bool:
    """Return whether the msgpack in *data* holds more than *most* values, at any depth.

    What is inside of an extension counts as well. What is no msgpack is not noticed.
    """
    if len(data) <= most:
        return False
    beside, at, end = _BESIDE, 0, len(data)
    outer: list[int] = []
    while True:
        while at >= end:
            if not outer:
                return False
            # Whatever the last value in an extension says of its length.
            at, end = end, outer.pop()
        most -= 1
        if most < 0:
            return True
        first = data[at]
        more = beside[first]
        at += 1
        if more < 0:
            at += int.from_bytes(data[at : at - more]) - more
        elif first in _EXTENSIONS:
            length = _FIXED.get(first) or int.from_bytes(data[at : at + more - 1])
            at += more
            outer.append(end)
            end = min(at + length, end)
        else:
            at += more
