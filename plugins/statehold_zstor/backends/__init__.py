"""Backends: where shards and metadata are kept. 0-db, object stores of the S3 family, and folders."""

from __future__ import annotations

from statehold_zstor.backends._backend import MAX_KEY, MAX_VALUE, Backend, Buffer, Health
from statehold_zstor.backends._errors import (
    BackendDamagedError,
    BackendError,
    BackendFullError,
    BackendRefusedError,
    BackendUnreachableError,
    ValueChangedError,
    ValueMissingError,
)
from statehold_zstor.backends._open import open_backend

__all__ = [
    "MAX_KEY",
    "MAX_VALUE",
    "Backend",
    "BackendDamagedError",
    "BackendError",
    "BackendFullError",
    "BackendRefusedError",
    "BackendUnreachableError",
    "Buffer",
    "Health",
    "ValueChangedError",
    "ValueMissingError",
    "open_backend",
]
