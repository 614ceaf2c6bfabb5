"""A filesystem with all it stands on: each part is tested before the next one starts; stopped in reverse."""

from __future__ import annotations

from statehold_qsfs.stack._config import (
    Durability,
    Fsync,
    Local,
    Mount,
    StackConfig,
    StackConfigError,
    size_of,
)

__all__ = ["Durability", "Fsync", "Local", "Mount", "StackConfig", "StackConfigError", "size_of"]
