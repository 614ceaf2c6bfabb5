from __future__ import annotations

import msgspec


class Leftover(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Values on a backend that nobody needs any more, and that are still to be deleted.

    Attributes:
        backend: its name.
        keys: the values, by what all their keys begin with.
        values: how many there are.

    """

    backend: str
    keys: str
    values: int


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an object: all it takes to read it, but for the keys.

    No secret is in it: neither keys nor passwords.

    Attributes:
        key: the name of the object.
        generation: 1 for the first that was stored under the key, and one more each time it is replaced.
        size: its bytes.
        checksum: the CRC-32 of its bytes.
        stored: when it was stored, in seconds since 1970.
        texts: what was given with it.
        minimal: how many shards suffice, and
        expected: how many it has: of this object, whatever the configuration says now.
        block_size: the bytes of it that are encoded together.
        salt: of its edition.
        keys: what the keys of its shards begin with.
        moved: what those of a shard begin with that was made anew since, by its number: no key is used twice.
        places: the name of the backend of each shard; empty for a shard that is missing.
        leftovers: what is still to be deleted.

    """

    key: str
    generation: int
    size: int
    checksum: int
    stored: float
    minimal: int
    expected: int
    block_size: int
    salt: bytes
    keys: str
    places: tuple[str, ...]
    moved: dict[int, str] = {}
    texts: dict[str, str] = {}
    leftovers: tuple[Leftover, ...] = ()


class Version(msgspec.Struct, frozen=True, array_like=True):
    """Which writing of an object's metadata it is.

    Attributes:
        number: 1 for the first, and one more each time it is written.
        tag: 16 random bytes, so that no two are equal.

    """

    number: int
    tag: bytes


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of an object, as they were read or written.

    Attributes:
        key: the name of the object.
        meta: the object; None for one that was deleted, of which something is still to be cleaned up.
        leftovers: what is still to be deleted, of an object that was deleted too.
        version: which writing it is.
        missing: the backends of the metadata that are known not to have it; a repair is due. A read does
            not wait for those whose answer is not needed.

    """

    key: str
    meta: ObjectMeta | None
    leftovers: tuple[Leftover, ...] = ()
    version: Version
    missing: tuple[str, ...] = ()
