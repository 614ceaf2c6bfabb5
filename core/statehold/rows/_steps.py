"""What a batch asks for, in bytes, and what follows from it for the rows there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from statehold.rows._changes import Change, CompareAndDelete, CompareAndSwap, Delete, Put, PutIfAbsent
from statehold.rows._errors import RowKeyError, RowValueError
from statehold.rows._keys import MAX_KEY, Columns, encode
from statehold.sdk import UNSET, UnsetType

#: The largest value, in bytes.
MAX_VALUE: Final = 1 << 28
#: The longest time to live, in seconds: 30,000 years, so that moments fit into 64 bits.
_LONGEST: Final = 1e12

#: Encoded partition key and clustering columns.
ByteKey: TypeAlias = tuple[bytes, bytes]
#: A value, and the moment it is gone, in microseconds since 1970, or None.
Entry: TypeAlias = tuple[bytes, int | None]


class Step(NamedTuple):
    """One change, made if the row has the value `expected`; None: if it is not there; UNSET: always."""

    key: ByteKey
    expected: bytes | UnsetType | None
    value: bytes | None
    ttl: int | None


#: Makes a named tuple in half the time.
_NEW: Final = tuple.__new__


def byte_key(partition: Columns, clustering: Columns) -> ByteKey:
    """Return both parts of a key as bytes that sort.

    Raises:
        RowKeyError: a column is of no type that a key may have, or the key is too long.

    """
    key = encode(partition), encode(clustering)
    if len(key[0]) + len(key[1]) > MAX_KEY:
        raise _too_long(key)
    return key


def _too_long(key: ByteKey) -> RowKeyError:
    return RowKeyError(
        f"expected a key of at most {MAX_KEY} bytes, got {len(key[0])} of partition and"
        f" {len(key[1])} of clustering columns",
        hint="use a digest of what is long",
    )


def steps(changes: Sequence[Change]) -> list[Step]:
    """Return *changes*, checked, in bytes."""
    batch = []
    last: Columns | None = None
    partition = b""
    for change in changes:
        # Who writes many rows of one partition says it once.
        if change.partition is not last:
            last = change.partition
            partition = encode(last)
        clustering = encode(change.clustering)
        key = partition, clustering
        if len(partition) + len(clustering) > MAX_KEY:
            raise _too_long(key)
        if type(change) is Put and change.ttl is None:
            # What most changes are, without a call.
            value = change.value
            if type(value) is not bytes or len(value) > MAX_VALUE:
                _value(value)
            batch.append(_NEW(Step, (key, UNSET, value, None)))
        else:
            batch.append(_step(change, key))
    return batch


def _step(change: Change, key: ByteKey) -> Step:
    match change:
        case Put(value=value, ttl=ttl):
            return Step(key, UNSET, _value(value), _micros(ttl))
        case Delete():
            return Step(key, UNSET, None, None)
        case PutIfAbsent(value=value, ttl=ttl):
            return Step(key, None, _value(value), _micros(ttl))
        case CompareAndSwap(expected=expected, value=value, ttl=ttl):
            return Step(key, _value(expected), _value(value), _micros(ttl))
        case CompareAndDelete(expected=expected):
            return Step(key, _value(expected), None, None)


def _value(value: bytes) -> bytes:
    if type(value) is not bytes:
        raise RowValueError(f"expected a value of bytes, got {type(value).__name__}")
    if len(value) > MAX_VALUE:
        raise RowValueError(f"expected a value of at most {MAX_VALUE} bytes, got {len(value)}")
    return value


def _micros(ttl: float | None) -> int | None:
    if ttl is None:
        return None
    if not 0 < ttl < math.inf:
        raise RowValueError(
            f"expected a time to live of more than 0 seconds, got {ttl!r}", hint="None: the row stays"
        )
    return math.ceil(min(ttl, _LONGEST) * 1_000_000)


def expiry(now: int, ttl: int | None) -> int | None:
    """Return the moment at which a row that is written *now* is gone, in microseconds since 1970."""
    return None if ttl is None else now + ttl


def decide(
    batch: Sequence[Step], look: Callable[[ByteKey], Entry | None], now: int
) -> tuple[dict[ByteKey, Entry | None], tuple[int, ...]]:
    """Return the rows as they are after *batch*, None for those removed, and the places of failed conditions.

    Args:
        batch: the changes in their order.
        look: returns the row as it is before, expired or not.
        now: microseconds since 1970.

    """
    after: dict[ByteKey, Entry | None] = {}
    refused = []
    for place, (key, expected, value, ttl) in enumerate(batch):
        if expected is not UNSET:
            entry = after[key] if key in after else look(key)
            there = None if entry is None or (entry[1] is not None and entry[1] <= now) else entry[0]
            if there != expected:
                refused.append(place)
                continue
        after[key] = None if value is None else (value, None if ttl is None else now + ttl)
    return after, tuple(refused)
