from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from statehold_zstor.codec import _header
from statehold_zstor.codec._buffers import Buffer
from statehold_zstor.codec._errors import CorruptShardError

_NOTHING: Final = bytes(_header.SIZE)


@attrs.frozen(kw_only=True)
class Expected:
    """Where a shard should belong to."""

    k: int
    m: int
    stamp: bytes
    position: int


@attrs.frozen
class Group:
    """Sound shards of one block, each of *size* bytes, whose headers agree: the pieces, by index."""

    header: _header.Header
    size: int
    pieces: dict[int, memoryview] = attrs.field(factory=dict)


def checked(shard: memoryview, index: int, expected: Expected) -> _header.Header:
    """Return the header of *shard*; CorruptShardError unless it is sound and in its place."""
    from isal.isal_zlib import crc32  # noqa: PLC0415 - of the extra

    if len(shard) < _header.SIZE:
        raise CorruptShardError(f"expected {_header.SIZE} bytes or more, got {len(shard)}")
    header = _header.unpack(bytes(shard[: _header.SIZE]))
    if header.magic != _header.MAGIC:
        raise CorruptShardError("it does not begin as a shard does")
    if header.crc != crc32(shard[_header.CRC.size :]):
        raise CorruptShardError("its CRC is wrong")
    for what, wanted, got in (
        ("pieces needed", expected.k, header.k),
        ("pieces added", expected.m, header.m),
        ("index", index, header.shard),
        ("position", expected.position, header.position),
    ):
        if wanted != got:
            raise CorruptShardError(f"{what}: expected {wanted}, got {got}")
    if header.stamp != expected.stamp:
        raise CorruptShardError("it is of another object, edition or master key")
    if not header.truthful or len(shard) != _header.SIZE + header.piece:
        raise CorruptShardError("the lengths in its header are wrong")
    return header


def grouped(shards: Mapping[int, Buffer], expected: Expected) -> tuple[list[Group], dict[int, str]]:
    """Return the sound ones of *shards*, by what their headers say of the block, the largest group first.

    Also what is wrong with the others. More than one group means that somebody made shards on purpose.
    """
    from isal.isal_zlib import crc32  # noqa: PLC0415 - of the extra

    groups: dict[tuple[bytes, bytes], Group] = {}
    bad: dict[int, str] = {}
    group: Group | None = None
    agreed = b"", b""
    for index, shard in shards.items():
        view = memoryview(shard).cast("B")
        crc, front, number, back = _header.COMMON.unpack_from(view if len(view) >= _header.SIZE else _NOTHING)
        # All agree with the one before, as a rule.
        if agreed != (front, back):
            agreed = front, back
            group = groups.get(agreed)
        # What agrees with a header that was checked needs no check but of the rest.
        if (
            group is None
            or number != index
            or len(view) != group.size
            or crc != crc32(view[_header.CRC.size :])
        ):
            try:
                header = checked(view, index, expected)
            except CorruptShardError as error:
                bad[index] = error.message
                continue
            group = groups[agreed] = Group(header._replace(crc=0, shard=0), len(view))
        group.pieces[index] = view[_header.SIZE :]
    return sorted(groups.values(), key=lambda group: -len(group.pieces)), bad
