from __future__ import annotations

from statehold.sdk import StateholdError


class BackendError(StateholdError):
    """A backend did not do what it was asked.

    Attributes:
        backend: its name.

    """

    def __init__(self, message: str, *, backend: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.backend = backend


class BackendUnreachableError(BackendError):
    """It cannot be reached, or does not answer in time; a write may have happened."""


class BackendFullError(BackendError):
    """It takes no more bytes."""


class BackendRefusedError(BackendError):
    """It does not let this client in, or does not take this key or so large a value."""


class BackendDamagedError(BackendError):
    """It has something under the key and cannot read it."""


class ValueMissingError(BackendError):
    """It has nothing under the key."""


class ValueChangedError(BackendError):
    """What stands under the key is not what `swap` was to replace."""
