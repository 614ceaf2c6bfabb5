from __future__ import annotations

from statehold.sdk import StorageError


class ZosError(StorageError):
    """Something about disks, pools or namespaces did not work."""


class NoSpaceError(ZosError):
    """No pool has room for what was asked for; the message says how much the largest has."""


class NotFoundError(ZosError):
    """There is no disk, pool, space or namespace of this name."""


class RefusedError(ZosError):
    """What was asked for would lose data, or was not confirmed; nothing was changed."""
