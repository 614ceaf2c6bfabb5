from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class ObjectInfo:
    """What an object is, without its bytes.

    Attributes:
        key: its name.
        generation: 1 for the first that was stored under the key, and one more each time it is replaced.
        size: its bytes.
        checksum: the CRC-32 of its bytes.
        stored: when it was stored, in seconds since 1970.
        metadata: what was given with it.
        data_shards: how many shards suffice to read it.
        shards: how many it has.
        backends: where each shard is, by the names of the backends; empty for one that is missing.
        missing: the numbers of the shards that are known to be missing; a repair is due.
        lagging: the backends of the metadata that do not have these yet; a repair is due.

    """

    key: str
    generation: int
    size: int
    checksum: int
    stored: float
    metadata: Mapping[str, str]
    data_shards: int
    shards: int
    backends: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()
    lagging: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class BadShard:
    """A shard of an object that is lost or damaged.

    Attributes:
        shard: its number.
        backend: where it should be.
        blocks: how many blocks of it are lost or damaged.
        reason: what is wrong with the first of them.

    """

    shard: int
    backend: str
    blocks: int
    reason: str


@attrs.frozen(kw_only=True)
class Verdict:
    """What `verify` found of an object, by reading every byte of every shard.

    Attributes:
        info: the object.
        bad: its shards that are lost or damaged.
        readable: whether its bytes can be had, and are those that were stored.

    """

    info: ObjectInfo
    bad: tuple[BadShard, ...]
    readable: bool

    @property
    def whole(self) -> bool:
        """Whether every shard is as it should be."""
        return self.readable and not self.bad


@attrs.frozen(kw_only=True)
class Repair:
    """What `rebuild` did to an object.

    Attributes:
        info: the object, after it.
        repaired: the shards that were made anew, each with the backend that has it now.
        moved: the shards that were brought elsewhere, likewise.

    """

    info: ObjectInfo
    repaired: Mapping[int, str]
    moved: Mapping[int, str]


@attrs.frozen(kw_only=True)
class BackendStatus:
    """How a backend is.

    Attributes:
        name: its address, without the password.
        group: the number of its group, from 0; None for one that takes no shards.
        metadata: whether metadata are there, not shards.
        leaving: whether the configuration names it no more, and it is to be emptied.
        reachable: whether it answers, and lets this client in.
        objects: how many values it has.
        used: bytes.
        limit: the most bytes that it may have; None where it has no limit.
        free: the bytes that still fit; None where nobody knows.
        problem: what is wrong; empty where nothing is.

    """

    name: str
    group: int | None
    metadata: bool = False
    leaving: bool = False
    reachable: bool
    objects: int | None = None
    used: int | None = None
    limit: int | None = None
    free: int | None = None
    problem: str = ""


@attrs.frozen(kw_only=True)
class Status:
    """How all backends are, those of the data first.

    Attributes:
        backends: each of them.
        objects: how many there are; None where nobody asked.
        tickets: how many of them lack a shard, and wait for a repair.
        endangered: how many others have a shard on a backend that does not answer.
        garbage: how many replaced or deleted shards still take space.
        problem: why objects could not be counted.

    """

    backends: tuple[BackendStatus, ...]
    objects: int | None = None
    tickets: int = 0
    endangered: int = 0
    garbage: int = 0
    problem: str = ""
