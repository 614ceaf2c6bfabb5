"""Storage `Logger`: INSERT writes a line to the log of the app version's partition."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from statehold.sdk import (
    Field,
    Intent,
    Key,
    Operation,
    Provider,
    Rank,
    Scope,
    StorageContext,
    StorageError,
    StorageLogger,
)
from statehold_sys._intents import Inserts

_NONE: Final = 0
_TRACE: Final = 5
# LogLevel: 0 None, 1 Error, 2 Warning, 3 Info, 4 Verbose, 5 Trace.
_LEVELS: Final = (logging.NOTSET, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, _TRACE)


@attrs.frozen(eq=False)
class Logger(Inserts):
    """Writes what is inserted to the storage's logger; the workspace goes along as `statehold_workspace`."""

    _name: str
    _logger: StorageLogger

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a LogLevel outside 0..5."""
        for item in items:
            _level(self._name, item.key)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Write the messages in order; those of level 0 are printed nowhere."""
        lines = [(_level(self._name, item.key), item) for item in items]
        for level, item in lines:
            if level != _NONE:
                message = item.value["Message"] or ""
                extra: Mapping[str, object] = {"statehold_workspace": item.key.WSID}
                self._logger.log(_LEVELS[level], "%s", message, extra=extra)

    def free(self) -> None:
        """Do nothing: the logger belongs to the host."""


def _level(storage: str, key: Key) -> int:
    level = key["LogLevel"]
    if level is None:
        return _NONE
    if isinstance(level, int) and _NONE <= level <= _TRACE:
        return level
    raise StorageError(
        f"{storage}: LogLevel is {level}",
        hint="Use 0 None, 1 Error, 2 Warning, 3 Info, 4 Verbose or 5 Trace",
    )


def _open(ctx: StorageContext) -> Logger:
    return Logger(ctx.storage, ctx.logger)


provider: Final = Provider(
    name="Logger",
    open=_open,
    operations={Operation.INSERT: frozenset(Scope)},
    key=[Field("LogLevel", "int32")],
    value=[Field("Message", "text")],
    sync_projector=True,
    rank=Rank.EFFECT,
    description="Writes to the app's log",
)
