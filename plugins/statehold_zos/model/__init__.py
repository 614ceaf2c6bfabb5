"""What the parts of the module say to each other, and to those who use it: values only."""

from __future__ import annotations

from statehold_zos.model._config import Config, Image, Plain
from statehold_zos.model._disks import DiskInfo, DiskState, Health
from statehold_zos.model._errors import NoSpaceError, NotFoundError, RefusedError, ZosError
from statehold_zos.model._namespaces import NamespaceState, ZdbNamespace
from statehold_zos.model._policies import DiskType, Mode, Placement, Policy, Raid
from statehold_zos.model._pools import EventKind, PoolEvent, PoolInfo, PoolState
from statehold_zos.model._sizes import size_of, size_text
from statehold_zos.model._spaces import Space, SpaceState
from statehold_zos.model._stats import DiskStats, TypeStats

__all__ = [
    "Config",
    "DiskInfo",
    "DiskState",
    "DiskStats",
    "DiskType",
    "EventKind",
    "Health",
    "Image",
    "Mode",
    "NamespaceState",
    "NoSpaceError",
    "NotFoundError",
    "Placement",
    "Plain",
    "Policy",
    "PoolEvent",
    "PoolInfo",
    "PoolState",
    "Raid",
    "RefusedError",
    "Space",
    "SpaceState",
    "TypeStats",
    "ZdbNamespace",
    "ZosError",
    "size_of",
    "size_text",
]
