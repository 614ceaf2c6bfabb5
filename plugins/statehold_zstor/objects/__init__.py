"""Objects: bytes under keys, spread in shards over backends."""

from __future__ import annotations

from statehold_zstor.objects._errors import (
    DamagedError,
    NotStoredError,
    ObjectChangedError,
    ObjectNotFoundError,
    ZstorError,
)
from statehold_zstor.objects._info import BackendStatus, BadShard, ObjectInfo, Repair, Status, Verdict
from statehold_zstor.objects._zstor import Progress, Zstor

__all__ = [
    "BackendStatus",
    "BadShard",
    "DamagedError",
    "NotStoredError",
    "ObjectChangedError",
    "ObjectInfo",
    "ObjectNotFoundError",
    "Progress",
    "Repair",
    "Status",
    "Verdict",
    "Zstor",
    "ZstorError",
]
