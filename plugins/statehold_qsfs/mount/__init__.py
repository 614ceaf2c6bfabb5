"""A filesystem where programs see it: mounted through FUSE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statehold_qsfs.mount._claim import Claimed, claim_of, claimed
from statehold_qsfs.mount._errors import MountError
from statehold_qsfs.mount._inodes import Inodes
from statehold_qsfs.mount._local import opened
from statehold_qsfs.mount._point import prepare
from statehold_qsfs.mount._table import KIND, SNAPSHOT, SNAPSHOT_DELETE, Mounted, at, of, table, unmount

if TYPE_CHECKING:
    from statehold_qsfs.mount._serving import mount, serve
    from statehold_qsfs.mount._session import Session

__all__ = [
    "KIND",
    "SNAPSHOT",
    "SNAPSHOT_DELETE",
    "Claimed",
    "Inodes",
    "MountError",
    "Mounted",
    "Session",
    "at",
    "claim_of",
    "claimed",
    "mount",
    "of",
    "opened",
    "prepare",
    "serve",
    "table",
    "unmount",
]


def __getattr__(name: str) -> Any:
    # Loads libfuse, which is not there wherever this package is.
    if name == "Session":
        from statehold_qsfs.mount._session import Session  # noqa: PLC0415

        return Session
    if name in {"mount", "serve"}:
        from statehold_qsfs.mount import _serving  # noqa: PLC0415

        return getattr(_serving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
