"""Objects: bytes under keys, spread in shards over backends."""

from __future__ import annotations

from statehold_zstor.objects._errors import (
    DamagedError,
    MaybeStoredError,
    NotStoredError,
    ObjectChangedError,
    ObjectNotFoundError,
    ZstorError,
)
from statehold_zstor.objects._info import BackendStatus, BadShard, ObjectInfo, Repair, Status, Verdict
from statehold_zstor.objects._lanes import BUCKETS, Lane
from statehold_zstor.objects._rebuilding import Rebuilt
from statehold_zstor.objects._sources import Source, checksum_of, key_of
from statehold_zstor.objects._world import Opener, World
from statehold_zstor.objects._zstor import Progress, Zstor

__all__ = [
    "BUCKETS",
    "BackendStatus",
    "BadShard",
    "DamagedError",
    "Lane",
    "MaybeStoredError",
    "NotStoredError",
    "ObjectChangedError",
    "ObjectInfo",
    "ObjectNotFoundError",
    "Opener",
    "Progress",
    "Rebuilt",
    "Repair",
    "Source",
    "Status",
    "Verdict",
    "World",
    "Zstor",
    "ZstorError",
    "checksum_of",
    "key_of",
]
