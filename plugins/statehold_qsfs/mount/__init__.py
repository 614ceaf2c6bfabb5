"""A filesystem where programs see it: mounted through FUSE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statehold_qsfs.mount._errors import MountError
from statehold_qsfs.mount._inodes import Inodes

if TYPE_CHECKING:
    from statehold_qsfs.mount._session import Session

__all__ = ["Inodes", "MountError", "Session"]


def __getattr__(name: str) -> Any:
    if name == "Session":
        from statehold_qsfs.mount._session import Session  # noqa: PLC0415  loads libfuse

        return Session
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
