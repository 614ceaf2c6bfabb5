"""How a filesystem stands in its two namespaces.

Data (keys are numbers, given by 0-db in their order): each value is bytes of one block of a file, and is
never changed.

Metadata (keys by what they are of):

| key | value |
|---|---|
| `S` | the whole: counters, snapshots, what is to be freed |
| `i` ino | a file: attributes; small contents themselves |
| `m` ino page | where the bytes of 16 blocks stand: for each block its pieces, later ones over earlier ones |
| `d` ino bucket | names of a directory, in buckets by hash, which split one by one as it grows |
| `F` number | what is to be freed and is too much for `S` |
| `J` number | a commit that is too large for one write of 0-db, until it is done |
| key `@` snapshot | what stood under the key at that snapshot, if it was changed since |

Each value begins with its generation: the last snapshot at the time it was written.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

VERSION: Final = 1
#: The bytes up to which contents stand in the file's own record.
INLINE: Final = 4096
#: The blocks of a page of a map.
PAGE: Final = 16

STATE_KEY: Final = b"S"
NODE: Final = ord("i")
MAP: Final = ord("m")
BUCKET: Final = ord("d")
FREED: Final = ord("F")
JOURNAL: Final = ord("J")
SNAPSHOT_SIZE: Final = 5

#: The pieces of a block: start, end and number of each, one after another.
Pieces: TypeAlias = tuple[int, ...]


class NodeRecord(msgspec.Struct, array_like=True, gc=False):
    generation: int
    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    stored: int
    atime: int
    mtime: int
    ctime: int
    birth: int
    #: Of a directory: the one that it is in, and how many buckets and names it has.
    parent: int
    buckets: int
    count: int
    #: Which pages there are: the first one of a run and the one after its last, one after another.
    runs: list[int]
    xattrs: dict[bytes, bytes]
    content: bytes | None


class PageRecord(msgspec.Struct, array_like=True, gc=False):
    generation: int
    blocks: list[Pieces]


class BucketRecord(msgspec.Struct, array_like=True, gc=False):
    generation: int
    entries: dict[bytes, int]


class SnapshotRecord(msgspec.Struct, array_like=True):
    """A snapshot: all blocks below `high` that files had then are kept."""

    number: int
    name: str
    made: int
    high: int
    used: int
    files: int


class StateRecord(msgspec.Struct, array_like=True):
    """The whole.

    Attributes:
        commit: how often all was made durable.
        next_ino: the number of the next file.
        high: no block from this number on is referred to.
        used, files: what there is.
        freed: blocks to delete, which no file refers to any more: first and one after the last of each run.
        unlinked: files without a name, kept because they are open.
        last_snapshot: the number of the last snapshot that was made; 0 if none was.

    """

    version: int
    commit: int
    next_ino: int
    high: int
    used: int
    files: int
    freed: list[int]
    unlinked: list[int]
    last_snapshot: int
    snapshots: list[SnapshotRecord]


encode: Final = msgspec.msgpack.Encoder().encode
decode_node: Final = msgspec.msgpack.Decoder(NodeRecord).decode
decode_page: Final = msgspec.msgpack.Decoder(PageRecord).decode
decode_bucket: Final = msgspec.msgpack.Decoder(BucketRecord).decode
decode_runs: Final = msgspec.msgpack.Decoder(list[int]).decode
decode_state: Final = msgspec.msgpack.Decoder(StateRecord).decode


def node_key(ino: int) -> bytes:
    """Return the key of a file."""
    return b"i" + ino.to_bytes(8)


def page_key(ino: int, page: int) -> bytes:
    """Return the key of a page of a file's map."""
    return b"m" + ino.to_bytes(8) + page.to_bytes(8)


def bucket_key(ino: int, bucket: int) -> bytes:
    """Return the key of a bucket of a directory."""
    return b"d" + ino.to_bytes(8) + bucket.to_bytes(4)


def freed_key(number: int) -> bytes:
    """Return the key of what is to be freed and is too much for the whole."""
    return b"F" + number.to_bytes(4)


def block_key(number: int) -> bytes:
    """Return the key of a block."""
    return number.to_bytes(8, "little")


def kept_key(key: bytes, snapshot: int) -> bytes:
    """Return the key under which a snapshot keeps what stood under *key*."""
    return key + b"@" + snapshot.to_bytes(4)


_LENGTHS: Final = {NODE: 9, MAP: 17, BUCKET: 13}


def split_kept(key: bytes) -> tuple[bytes, int] | None:
    """Return the key and the snapshot of what a snapshot keeps; None for what is of now."""
    length = _LENGTHS.get(key[0])
    if length is None or len(key) != length + SNAPSHOT_SIZE:
        return None
    return key[:length], int.from_bytes(key[length + 1 :])


def generation_of(payload: bytes) -> int:
    """Return the last snapshot at the time when *payload* was written."""
    return GENERATION(payload).generation


class _Generation(msgspec.Struct, array_like=True):
    generation: int


GENERATION: Final = msgspec.msgpack.Decoder(_Generation).decode


def to_runs(numbers: list[int]) -> list[int]:
    """Return sorted *numbers* as runs: the first and the one after the last of each, one after another."""
    runs: list[int] = []
    for number in sorted(numbers):
        if runs and runs[-1] == number:
            runs[-1] = number + 1
        else:
            runs += (number, number + 1)
    return runs


def from_runs(runs: list[int]) -> list[int]:
    """Return the numbers of *runs*."""
    return [number for start, end in zip(runs[::2], runs[1::2], strict=True) for number in range(start, end)]
