"""Where the pieces of an object are: one for each block and shard."""

from __future__ import annotations

import os
from typing import Final

from statehold_zstor.codec import Edition
from statehold_zstor.metadata import Entry, Leftover, ObjectMeta
from statehold_zstor.objects._info import ObjectInfo

#: The hex digits of the milliseconds since 1970 that a batch begins with, and of its random part.
_MOMENT, _RANDOM = 12, 16
#: A writing that took longer is given up: what it has written may have been swept away as nobody's.
LONGEST: Final = 12 * 3600.0


def data_prefix(prefix: str) -> str:
    """Return what the keys of all shards begin with."""
    return f"{prefix}/data/"


def new_keys(prefix: str, *, now: float) -> str:
    """Return what the keys of shards begin with that are written now; no two are equal."""
    return f"{data_prefix(prefix)}{int(now * 1000):0{_MOMENT}x}{os.urandom(_RANDOM // 2).hex()}"


def moment_of(batch: str) -> float:
    """Return when a batch was begun, in seconds since 1970; of what is none, the end of times."""
    try:
        return int(batch[:_MOMENT], 16) / 1000
    except ValueError:
        return float("inf")


def shard_keys(meta: ObjectMeta, shard: int) -> str:
    """Return what the keys of one shard begin with."""
    return meta.moved.get(shard) or f"{meta.keys}.{shard}"


def piece_key(shard_keys: str, block: int) -> str:
    """Return the key of one piece."""
    return f"{shard_keys}/{block:x}"


def batch_of(piece: str) -> str:
    """Return the batch that the key of a piece is of."""
    return piece.rpartition("/")[0].rpartition("/")[2].partition(".")[0]


def is_stale(keys: str, *, now: float) -> bool:
    """Whether shards whose keys begin with *keys* were begun so long ago that no object may have them."""
    return moment_of(batch_of(piece_key(keys, 0))) < now - LONGEST


def block_count(meta: ObjectMeta) -> int:
    """Return how many blocks an object has; an empty one has one."""
    return max(1, -(-meta.size // meta.block_size))


def edition_of(meta: ObjectMeta) -> Edition:
    """Return the edition that the shards of an object are of."""
    return new_edition(meta.key, meta.keys, meta.salt)


def new_edition(key: str, keys: str, salt: bytes) -> Edition:
    """Return an edition; its number is the moment of its batch, whatever generation it becomes."""
    moment = int(keys.rpartition("/")[2][:_MOMENT], 16)
    return Edition(name=key.encode(), generation=moment, salt=salt)


def leftovers_of(meta: ObjectMeta) -> tuple[Leftover, ...]:
    """Return all shards of an object as what is to be deleted."""
    values = block_count(meta)
    return tuple(
        Leftover(backend=place, keys=shard_keys(meta, shard), values=values)
        for shard, place in enumerate(meta.places)
        if place
    )


def info_of(entry: Entry) -> ObjectInfo:
    """Return what people see of an object that is there."""
    meta = entry.meta
    assert meta is not None  # noqa: S101  who calls has looked
    return ObjectInfo(
        key=meta.key,
        generation=meta.generation,
        size=meta.size,
        checksum=meta.checksum,
        stored=meta.stored,
        metadata=meta.texts,
        data_shards=meta.minimal,
        shards=meta.expected,
        backends=meta.places,
        missing=tuple(shard for shard, place in enumerate(meta.places) if not place),
        lagging=entry.missing,
    )
