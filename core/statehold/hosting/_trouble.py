from __future__ import annotations

import traceback
from collections.abc import Callable


class Trouble:
    """Puts errors of plugins into words, without the secrets that they may quote."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def line(self, error: BaseException) -> str:
        """Return the error's type and message, and the place in the plugin where it was raised."""
        try:
            text = str(error)
        except BaseException as failed:  # noqa: BLE001 - what a plugin raises may fail at that, too
            text = f"its message cannot be told: {type(failed).__name__}"
        where = ""
        for frame, line in traceback.walk_tb(error.__traceback__):
            where = f" ({frame.f_code.co_filename}:{line})"
        return self._redact(f"{type(error).__name__}{f': {text}' if text else ''}{where}")

    def cause(self, error: BaseException) -> BaseException | None:
        """Return the error to raise another one from, or None if its traceback shows a secret."""
        shown = "".join(traceback.format_exception(error))
        return error if self._redact(shown) == shown else None
