from __future__ import annotations

from statehold.sdk import StateholdError


class StackConfigError(StateholdError):
    """The configuration cannot be read, or says what cannot be."""


class StackError(StateholdError):
    """A filesystem could not be started: a part of it failed its test, and what had started was stopped.

    Attributes:
        step: the part.

    """

    def __init__(self, message: str, *, step: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.step = step
