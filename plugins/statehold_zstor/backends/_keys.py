from __future__ import annotations

import re
from typing import Final

from statehold_zstor.backends._backend import MAX_KEY, MAX_VALUE, Buffer
from statehold_zstor.backends._errors import BackendDamagedError, BackendRefusedError

_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


def checked(backend: str, key: str) -> str:
    """Return *key*; BackendRefusedError if it cannot be one."""
    if len(key) <= MAX_KEY and _KEY.fullmatch(key):
        return key
    raise BackendRefusedError(
        f"{backend}: a key: expected at most {MAX_KEY} of A-Z a-z 0-9 . _ - /, no part empty or with a dot "
        f"first, got {key[: MAX_KEY + 1]!r}",
        backend=backend,
    )


def too_large(backend: str, key: str) -> BackendDamagedError:
    """Return the error for what stands under *key* and is larger than any value: it is not read."""
    return BackendDamagedError(
        f"{backend}: what stands under {key} has more than {MAX_VALUE:,} bytes", backend=backend
    )


def check_value(backend: str, value: Buffer) -> None:
    """Raise BackendRefusedError if *value* is empty or too large."""
    size = memoryview(value).nbytes
    if not 0 < size <= MAX_VALUE:
        raise BackendRefusedError(
            f"{backend}: a value: expected 1 to {MAX_VALUE:,} bytes, got {size:,}", backend=backend
        )
