from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

Source: TypeAlias = bytes | bytearray | memoryview | Path | BinaryIO

_PIECE: Final = 1024 * 1024


def size_of(source: Source) -> int | None:
    """Return how many bytes a source has; None where nobody knows."""
    if isinstance(source, Path):
        return source.stat().st_size
    return len(source) if isinstance(source, bytes | bytearray | memoryview) else None


def pieces_of(source: Source, size: int) -> Iterator[tuple[bytes | memoryview, bool]]:
    """Yield a source in pieces of *size*, each with whether it is the last; one that is empty has one."""
    if isinstance(source, Path):
        with source.open("rb", buffering=0) as file:
            yield from _of_stream(file, size)
    elif isinstance(source, bytes | bytearray | memoryview):
        view = memoryview(source).cast("B")
        for at in range(0, max(len(view), 1), size):
            yield view[at : at + size], at + size >= len(view)
    else:
        yield from _of_stream(source, size)


def key_of(path: Path, root: Path | None) -> str:
    """Return the key of a file: its absolute path, without *root* where it lies there.

    Where there is a root and it does not lie there the key begins with a slash, as none of the others does.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  what is a link keeps its own name
    if root is None:
        return str(absolute).lstrip("/")
    # The folder that one is in is told without links.
    for start in (os.path.abspath(root), os.path.realpath(root)):  # noqa: PTH100
        if absolute.is_relative_to(start):
            return str(absolute.relative_to(start))
    return str(absolute)


def checksum_of(path: Path) -> int:
    """Return the CRC-32 of a file's bytes."""
    from isal.isal_zlib import crc32  # noqa: PLC0415  one of the extra's

    checksum = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            checksum = crc32(piece, checksum)
    return checksum


def _of_stream(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    before = _filled(stream, size)
    while len(before) == size and (piece := _filled(stream, size)):
        yield before, False
        before = piece
    yield before, True


def _filled(stream: BinaryIO, size: int) -> bytes:
    """Read *size* bytes, fewer only at the end: pipes give what they have."""
    first = stream.read(size) or b""
    if not first or len(first) == size:
        return first
    pieces, count = [first], len(first)
    while count < size and (piece := stream.read(size - count)):
        pieces.append(piece)
        count += len(piece)
    return b"".join(pieces)
