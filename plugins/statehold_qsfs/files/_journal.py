"""Changes of metadata, of any size, as a whole.

A write of 0-db is all or nothing if it fits into a segment. Larger changes are written down first, and done
again, from their beginning, by the next start if this one does not come to their end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from statehold_qsfs.files._layout import JOURNAL, encode
from statehold_zdb.engine import Namespace

#: By key, what is to stand there; None for nothing.
Changes: TypeAlias = dict[bytes, bytes | None]

_LARGEST: Final = 4 * 1024 * 1024
#: What a record takes beside its payload, at most.
_OVERHEAD: Final = 80
_DONE: Final = bytes((JOURNAL,))


def write(meta: Namespace, changes: Changes) -> None:
    """Make all *changes*, or none; ZdbError if that cannot be."""
    limit = meta.options.segment_size * 3 // 4
    if sum(len(payload or b"") + _OVERHEAD for payload in changes.values()) <= limit:
        meta.write(list(changes.items()))
        return
    pieces = list(_pieces(changes, min(limit, _LARGEST)))
    for i, piece in enumerate(pieces):
        meta.set(_journal_key(i), encode(piece))
    meta.sync()
    meta.set(_DONE, encode(len(pieces)))
    meta.sync()
    _redo(meta, pieces)


def is_unfinished(meta: Namespace) -> bool:
    """Whether changes are written down that may not be done."""
    return meta.exists(_DONE)


def recover(meta: Namespace) -> None:
    """Bring changes to their end that were written down; those that were not, to the last, go."""
    done = meta.get(_DONE)
    if done is not None:
        decode = msgspec.msgpack.Decoder(list[tuple[bytes, bytes | None]]).decode
        count = msgspec.msgpack.decode(done, type=int)
        pieces = []
        for i in range(count):
            piece = meta.get(_journal_key(i))
            if piece is not None:
                pieces.append(decode(piece))
        _redo(meta, pieces)
    for key in [key for key in meta.keys() if key[0] == JOURNAL]:  # noqa: SIM118 - a method of its own
        meta.delete(key)


def _redo(meta: Namespace, pieces: list[list[tuple[bytes, bytes | None]]]) -> None:
    for piece in pieces:
        meta.write(piece)
    meta.sync()
    meta.delete(_DONE)
    meta.write([(_journal_key(i), None) for i in range(len(pieces))])


def _pieces(changes: Changes, limit: int) -> Iterator[list[tuple[bytes, bytes | None]]]:
    found: list[tuple[bytes, bytes | None]] = []
    size = 0
    for change in changes.items():
        length = len(change[1] or b"") + _OVERHEAD
        if found and size + length > limit:
            yield found
            found, size = [], 0
        found.append(change)
        size += length
    if found:
        yield found


def _journal_key(number: int) -> bytes:
    return _DONE + number.to_bytes(4)
