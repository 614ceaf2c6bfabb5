"""A filesystem with all it stands on: each part is tested before the next one starts; stopped in reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statehold_qsfs.stack._config import (
    Durability,
    Fsync,
    Local,
    Mount,
    StackConfig,
    size_of,
)
from statehold_qsfs.stack._errors import StackConfigError, StackError

if TYPE_CHECKING:
    from statehold_qsfs.stack._stack import STEPS, Stack, restore_stack

__all__ = [
    "STEPS",
    "Durability",
    "Fsync",
    "Local",
    "Mount",
    "Stack",
    "StackConfig",
    "StackConfigError",
    "StackError",
    "restore_stack",
    "size_of",
]


def __getattr__(name: str) -> Any:
    # Loads zstor and its libraries, which a look at a configuration needs none of.
    if name in {"STEPS", "Stack", "restore_stack"}:
        from statehold_qsfs.stack import _stack  # noqa: PLC0415

        return getattr(_stack, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
