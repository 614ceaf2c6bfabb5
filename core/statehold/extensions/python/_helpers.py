from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from statehold.state import Rows, State

_ERROR: Final = 1
_WARNING: Final = 2
_INFO: Final = 3
_VERBOSE: Final = 4


class Log:
    """Writes to the log of the host when the function has returned; puts arguments in as `logging` does."""

    __slots__ = ("_key", "_state")

    def __init__(self, rows: Rows, state: State) -> None:
        self._key = rows.key
        self._state = state

    def error(self, message: str, *args: object) -> None:
        """Write an error."""
        self._write(_ERROR, message, args)

    def warning(self, message: str, *args: object) -> None:
        """Write a warning."""
        self._write(_WARNING, message, args)

    def info(self, message: str, *args: object) -> None:
        """Write what is worth knowing."""
        self._write(_INFO, message, args)

    def debug(self, message: str, *args: object) -> None:
        """Write a detail."""
        self._write(_VERBOSE, message, args)

    def _write(self, level: int, message: str, args: tuple[Any, ...]) -> None:
        state = self._state
        key = self._key(state.call.workspace, LogLevel=level)
        state.new_value(key, Message=_text(message, args))


def _text(message: object, args: tuple[Any, ...]) -> str:
    try:
        return logging.LogRecord("", logging.INFO, "", 0, message, args, None).getMessage()
    except (TypeError, ValueError, KeyError):
        # What is wrong with a message is no reason for the call to fail.
        return f"{message} {args!r}"


Respond = Callable[..., None]


def responder(rows: Rows, state: State) -> Respond:
    """Return what says how a request is to be answered: `respond(status, message)`."""

    def respond(status: int, message: str = "") -> None:
        """Answer with a status of HTTP; with any but 200, nothing of what was asked for happens."""
        state.new_value(rows.key(state.call.workspace), StatusCode=status, ErrorMessage=message)

    return respond
