from __future__ import annotations

from collections.abc import Sequence

from statehold_zos.model import ZosError


class ConfigError(ZosError):
    """The configuration cannot be read, or says what cannot be.

    Attributes:
        problems: all that was found, one line for each, with the field and, for a file, its line.

    """

    def __init__(self, message: str, *, problems: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)
