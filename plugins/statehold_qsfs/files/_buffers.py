from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from statehold_qsfs.files._layout import Pieces
from statehold_qsfs.files._values import BLOCK

Bytes: TypeAlias = bytes | bytearray | memoryview
Part: TypeAlias = tuple[int, Bytes]

#: Parts that are smaller are copied to the one that they follow.
_SMALL: Final = 32 * 1024
#: So many parts are painted over one another.
_MOST: Final = 64


class Buffer:
    """What was written to a block, and is in no namespace yet.

    Attributes:
        parts: starts and bytes, later ones over earlier ones.
        length: where the bytes of the block end, those in the namespace included.
        untouched: whether nothing has changed since this was set.

    """

    __slots__ = ("length", "parts", "untouched")

    def __init__(self, length: int) -> None:
        self.parts: list[Part] = []
        self.length = length
        self.untouched = False

    def put(self, start: int, data: bytes | memoryview) -> None:
        """Have *data* from *start* on."""
        size = len(data)
        parts = self.parts
        self.untouched = False
        self.length = max(self.length, start + size)
        if not parts:
            parts.append((start, data))
            return
        at, last = parts[-1]
        if at + len(last) == start and size < _SMALL:
            if type(last) is bytearray:
                last += data
            else:
                joined = bytearray(last)
                joined += data
                parts[-1] = at, joined
        elif start == 0 and size >= self.length:
            self.parts = [(0, data)]
        else:
            parts.append((start, data))
            if len(parts) > _MOST:
                self.parts = list(merged(parts))

    def clip(self, end: int) -> None:
        """Have nothing from *end* on."""
        self.untouched = False
        self.length = min(self.length, end)
        self.parts = [(start, data[: end - start]) for start, data in self.parts if start < end]


def merged(parts: Sequence[Part]) -> Sequence[Part]:
    """Return the same bytes in parts that do not overlap, nor touch."""
    if len(parts) == 1:
        return parts
    first, data = parts[0]
    at = first + len(data)
    for start, data in parts[1:]:
        if start != at:
            break
        at = start + len(data)
    else:
        return [(first, b"".join(data for _, data in parts))]
    painted = bytearray(BLOCK)
    view = memoryview(painted)
    for start, data in parts:
        view[start : start + len(data)] = data
    return [(start, view[start:end]) for start, end in covered((s, s + len(d)) for s, d in parts)]


def covered(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return *ranges* as those that neither overlap nor touch, in their order."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def overlay(pieces: Pieces, start: int, end: int, number: int) -> tuple[Pieces, list[int]]:
    """Return *pieces* with a new one over them, and the numbers of those that are hidden by it."""
    if not pieces:
        return (start, end, number), []
    kept: list[int] = []
    hidden: list[int] = []
    for i in range(0, len(pieces), 3):
        if start <= pieces[i] and pieces[i + 1] <= end:
            hidden.append(pieces[i + 2])
        else:
            kept += pieces[i : i + 3]
    return (*kept, start, end, number), hidden


def clipped(pieces: Pieces, end: int) -> tuple[Pieces, list[int]]:
    """Return *pieces* without what they have from *end* on, and the numbers of those that are gone."""
    kept: list[int] = []
    gone: list[int] = []
    for i in range(0, len(pieces), 3):
        if pieces[i] < end:
            kept += (pieces[i], min(pieces[i + 1], end), pieces[i + 2])
        else:
            gone.append(pieces[i + 2])
    return tuple(kept), gone
