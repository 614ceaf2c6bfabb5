from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import attrs
import msgspec

from statehold_zstor.codec import Codec, CodecError, Compression, Edition, MasterKey
from statehold_zstor.metadata._errors import MetadataError, MetadataKeyError
from statehold_zstor.metadata._state import Piece
from statehold_zstor.metadata._values import Leftover, ObjectMeta, Version

_LARGEST: Final = 1024 * 1024
_ID_SIZE: Final = 16
_CODECS: Final = 16
#: How many writings a writing remembers that came before it.
LINEAGE: Final = 32
_MARK_SIZE: Final = 6


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What is written of an object.

    Attributes:
        key: the name of the object.
        meta: the object; None for one that was deleted.
        leftovers: what is still to be deleted of one that was deleted.
        lineage: the marks of the writings that came before, the newest last.

    """

    key: str
    meta: ObjectMeta | None
    leftovers: tuple[Leftover, ...] = ()
    lineage: tuple[bytes, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing need be known of the object any more."""
        return self.meta is None and not self.leftovers


#: Made here: two threads that were the first to read a type would bring msgspec, and the process, to an end.
_read: Final = msgspec.msgpack.Decoder(Record).decode


@attrs.frozen(kw_only=True)
class Written:
    """A writing, whole.

    Attributes:
        version: which one.
        record: what was written.
        pieces: one for each backend.

    """

    version: Version
    record: Record
    pieces: Sequence[Piece]

    @property
    def before(self) -> bytes | None:
        """The mark of the writing before it."""
        return self.record.lineage[-1] if self.record.lineage else None


def mark_of(version: Version) -> bytes:
    """Return what tells a writing from the others of its object."""
    return version.tag[:_MARK_SIZE]


def id_of(key: str) -> str:
    """Return what the metadata of the object *key* are kept under."""
    try:
        name = key.encode()
    except UnicodeEncodeError:
        raise MetadataError(f"the key of an object: expected a text of Unicode, got {key!r}") from None
    return hashlib.blake2b(name, digest_size=_ID_SIZE).hexdigest()


class Coding:
    """Makes pieces of records, encrypted, and records of pieces.

    Args:
        key: what they are encrypted with.
        minimal: how many pieces suffice, and
        count: how many there are, of what is written from now on.

    """

    def __init__(self, key: MasterKey, *, minimal: int, count: int) -> None:
        self.minimal, self.count = minimal, count
        self._key = key
        self._key_id = hmac.digest(key.secret, b"statehold zstor metadata", "sha256")[:8]
        self._codec = lru_cache(maxsize=_CODECS)(self._new_codec)

    def write(self, id_: str, record: Record, *, current: Written | None) -> Written:
        """Return a new writing of *record*, after the *current* one."""
        number = 1
        if current is not None:
            number = current.version.number + 1
            lineage = (*current.record.lineage, mark_of(current.version))[-LINEAGE:]
            record = msgspec.structs.replace(record, lineage=lineage)
        data = msgspec.msgpack.encode(record)
        if len(data) > _LARGEST:
            raise MetadataError(
                f"the metadata of {record.key}: expected at most {_LARGEST:,} bytes, got {len(data):,}",
                hint="Keep fewer texts with it",
            )
        version = Version(number, os.urandom(_ID_SIZE))
        codec = self._codec(self.minimal, self.count)
        with codec.encoder(_edition(id_, version)).encode(data, position=0, last=True) as block:
            return Written(
                version=version,
                record=record,
                pieces=self._pieces(version, record, self.minimal, self.count, block.shards),
            )

    def fits(self, written: Written) -> bool:
        """Whether its pieces are as many as those of what is written now."""
        first = written.pieces[0]
        return (first.minimal, first.count) == (self.minimal, self.count)

    def read(self, id_: str, pieces: Iterable[Piece]) -> Written | None:
        """Return the writing that *pieces* are of; None if they do not suffice.

        Raises:
            MetadataKeyError: they were encrypted with another key.

        """
        pieces = list(pieces)
        first = pieces[0]
        if first.key_id != self._key_id:
            raise MetadataKeyError(
                "metadata were encrypted with another key than that of this configuration",
                hint="Put the key into [meta.config.encryption] with which they were written",
            )
        shards = {piece.index: piece.shard for piece in pieces}
        if len(shards) < first.minimal:
            return None
        codec = self._codec(first.minimal, first.count)
        decoder = codec.decoder(_edition(id_, first.version))
        try:
            with decoder.decode(shards, position=0) as plain:
                record = _read(bytes(plain.data))
            with decoder.repair(shards, position=0) as block:
                whole = self._pieces(first.version, record, first.minimal, first.count, block.shards)
        except (CodecError, msgspec.MsgspecError):
            return None
        return Written(version=first.version, record=record, pieces=whole)

    def _pieces(
        self, version: Version, record: Record, minimal: int, count: int, shards: Sequence[memoryview]
    ) -> list[Piece]:
        empty = record.empty
        return [
            Piece(version, self._key_id, minimal, count, index, empty, bytes(shard))
            for index, shard in enumerate(shards)
        ]

    def _new_codec(self, minimal: int, count: int) -> Codec:
        return Codec(
            k=minimal,
            m=count - minimal,
            key=self._key,
            compression=Compression.NONE,
            block_size=_LARGEST,
        )


def _edition(id_: str, version: Version) -> Edition:
    return Edition(name=b"metadata " + id_.encode(), generation=version.number, salt=version.tag)
