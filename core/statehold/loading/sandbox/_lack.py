"""What a machine cannot give."""

from __future__ import annotations

import attrs

from statehold.sdk import StateholdError


@attrs.frozen
class Lack:
    """A layer of the sandbox that is not there, and why, in words for an operator."""

    layer: str
    reason: str
    opens: bool = True
    """Whether a process can do more without it; else it can do less than it may."""

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.layer}: {self.reason}"


class SandboxError(StateholdError):
    """A process could not be shut in as its policy says; `lacking` are the layers that are not there."""

    def __init__(self, message: str, *, lacking: tuple[Lack, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lacking = lacking
