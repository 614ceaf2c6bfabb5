from __future__ import annotations

import logging
import socket
from typing import Final

import msgspec

from statehold.loading.sidecar._kinds import LOG

_SHOWN: Final = 60_000
_encode: Final = msgspec.msgpack.Encoder().encode


class LogLane(logging.Handler):
    """Sends the records of one storage to the host; what it cannot take at once is dropped and counted."""

    def __init__(self, sock: socket.socket, handle: int) -> None:
        super().__init__()
        self._sock = sock
        self._handle = handle
        self._dropped = 0
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record as a text."""
        text = self.format(record).encode(errors="replace")[:_SHOWN].decode(errors="ignore")
        try:
            if self._dropped:
                missing = f"{self._dropped} records before this one were dropped, the host was too busy"
                self._send(logging.WARNING, missing)
                self._dropped = 0
            self._send(record.levelno, text)
        except BlockingIOError:
            self._dropped += 1
        except OSError:
            return  # the host is gone, and so is this process soon

    def _send(self, level: int, text: str) -> None:
        self._sock.send(_encode((LOG, self._handle, level, text)), socket.MSG_DONTWAIT)
