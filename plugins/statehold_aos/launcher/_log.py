from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from statehold.sdk import StorageLogger

_LINE: Final = 8192
#: Bytes that are read of one service before it is another one's turn.
_TURN: Final = 65_536
_LAST: Final = 20


class _Files(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """Go on where the disk is full: the host's log has the line."""


class ServiceLog:
    """What a service writes: to the host's log line by line, and to files of which the oldest goes."""

    def __init__(self, file: Path, name: str, *, logger: StorageLogger, size: int, count: int) -> None:
        self._name: Final = name
        self._logger: Final = logger
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: Final = _Files(
            file, maxBytes=size, backupCount=count, encoding="utf-8", errors="replace", delay=True
        )
        self._file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._rest = b""
        self.last: Final[deque[str]] = deque(maxlen=_LAST)

    def read(self, descriptor: int) -> bool:
        """Take what there is, at most a turn's worth; False where nothing will follow."""
        try:
            data = os.read(descriptor, _TURN)
        except BlockingIOError:
            return True
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > _LINE or not data:
            self._flush()
        return bool(data)

    def drain(self, descriptor: int) -> None:
        """Take what is left of a process that has ended."""
        with suppress(OSError):
            for _ in range(16):  # what a pipe holds, and no more should somebody else write on
                if not self.read(descriptor):
                    break
        self._flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _flush(self) -> None:
        if self._rest:
            self._take(self._rest)
            self._rest = b""

    def _take(self, line: bytes) -> None:
        for at in range(0, len(line) or 1, _LINE):
            text = line[at : at + _LINE].decode(errors="replace").rstrip("\r")
            self.last.append(text)
            self._logger.info("%s: %s", self._name, text)
            record = logging.LogRecord(self._name, logging.INFO, "", 0, text, None, None)
            self._file.handle(record)
