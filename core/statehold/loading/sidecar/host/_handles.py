from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from typing import Any, Final

from statehold.sdk import StorageLogger

_numbers: Final = itertools.count(1)


class Handles:
    """The numbers of the storages of a group: how each is opened again, and where its records go."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._arguments: dict[int, Mapping[str, Any]] = {}
        self._loggers: dict[int, StorageLogger] = {}

    def new(self, logger: StorageLogger) -> int:
        """Return a number for a storage, whose records go to *logger*."""
        handle = next(_numbers)
        self._loggers[handle] = logger
        return handle

    def keep(self, handle: int, argument: Mapping[str, Any]) -> None:
        """Open the storage again when the process has to be started again."""
        self._arguments[handle] = argument

    def kept(self) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        """Return the numbers of the storages to be opened again, and what with."""
        return tuple(self._arguments.items())

    def forget(self, handle: int) -> None:
        """Open the storage no more: it was never opened."""
        self._arguments.pop(handle, None)
        self._loggers.pop(handle, None)

    def freed(self, handle: int) -> StorageLogger | logging.Logger:
        """Open the storage no more, and return its logger: what it says while freed may come later."""
        self._arguments.pop(handle, None)
        return self._loggers.get(handle, self._logger)

    def heard(self, handle: int, level: int, text: str) -> None:
        """Log what a storage said, or its process, which has number 0."""
        logger = self._loggers.get(handle) or next(iter(tuple(self._loggers.values())), self._logger)
        if logger.isEnabledFor(level):
            logger.log(level, "%s", text)
