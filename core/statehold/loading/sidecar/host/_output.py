from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import msgspec

from statehold.images import plain
from statehold.loading.sidecar.host._supervisor import Supervisor

#: What one sidecar may say in a second: more lines are counted, more bytes wait in the sidecar.
_LINES: Final = 200
_BYTES: Final = 1 << 20
#: What a line and a record count for beside their own bytes: how short they are, each takes the host time.
_PER_LINE: Final = 64
_PER_RECORD: Final = 256
_LONGEST: Final = 4000
_KEPT: Final = 20
_PACKET: Final = 64 * 1024
_AT_THE_END: Final = 64

Heard = Callable[[int, int, str], None]


class _Log(msgspec.Struct, array_like=True, gc=False):
    kind: int
    handle: int
    level: int
    message: str


_log: Final = msgspec.msgpack.Decoder(_Log).decode


class Output:
    """What a sidecar says: log records, and what it writes to stdout and stderr, line by line.

    Each of them is one line of text for whoever logs it, with nothing that steers a terminal.

    All methods run on the supervisor's thread.

    Attributes:
        last: the last lines that it wrote.

    """

    def __init__(self, supervisor: Supervisor, heard: Heard, wrong: Callable[[], None]) -> None:
        self.last: deque[str] = deque(maxlen=_KEPT)
        self._supervisor = supervisor
        self._heard = heard
        self._wrong = wrong
        self._rest: dict[int, bytes] = {}
        self._open: dict[Any, Callable[[], bool]] = {}
        self._since = 0.0
        self._lines = self._bytes = self._dropped = 0

    def listen(self, log: socket.socket | None, streams: dict[int, int]) -> None:
        """Listen to a log lane, and to streams by their level, until they end."""
        for descriptor, level in streams.items():
            os.set_blocking(descriptor, False)
            self._rest[descriptor] = b""
            self._watch(descriptor, lambda at=descriptor, to=level: self._read(at, to))  # type: ignore[misc]
        if log is not None:
            log.setblocking(False)  # noqa: FBT003 - a flag of the socket
            self._watch(log, lambda: self._record(log))

    def close(self) -> None:
        """Take what is still there, and listen no longer."""
        for descriptor, read in tuple(self._open.items()):
            for _ in range(_AT_THE_END):
                if not read():
                    break
            self._shut(descriptor)
        self._tell()

    def _watch(self, descriptor: Any, read: Callable[[], bool]) -> None:
        self._open[descriptor] = read
        self._supervisor.watch(descriptor, read)

    def _shut(self, descriptor: Any) -> None:
        if self._open.pop(descriptor, None) is not None:
            self._supervisor.forget(descriptor)
            if isinstance(descriptor, int):
                os.close(descriptor)
            else:
                descriptor.close()

    def _read(self, descriptor: int, level: int) -> bool:
        if descriptor not in self._open:
            return False
        try:
            data = os.read(descriptor, _PACKET)
        except BlockingIOError:
            return False
        *lines, rest = (self._rest[descriptor] + data).split(b"\n")
        if not data or len(rest) > _LONGEST:
            lines.append(rest)
            rest = b""
        self._rest[descriptor] = rest
        for line in lines:
            text = plain(line[:_LONGEST].decode(errors="replace").rstrip())
            if text:
                self.last.append(text)
                self._pass(0, level, text)
        if not data:
            self._shut(descriptor)
        else:
            self._slow_down(descriptor, len(data) + _PER_LINE * len(lines))
        return bool(data)

    def _record(self, log: socket.socket) -> bool:
        if log not in self._open:
            return False
        try:
            data = log.recv(_PACKET)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._shut(log)
            return False
        try:
            record = _log(data)
        except Exception:  # noqa: BLE001 - whatever a hostile record makes of the decoder
            self._wrong()
            return True
        self._pass(record.handle, max(0, min(record.level, logging.CRITICAL)), plain(record.message))
        self._slow_down(log, len(data) + _PER_RECORD)
        return True

    def _pass(self, handle: int, level: int, text: str) -> None:
        self._next_second()
        self._lines += 1
        if self._lines > _LINES:
            self._dropped += 1
            if self._dropped == 1:
                self._supervisor.at(self._since + 1.0, self._next_second)
        else:
            self._heard(handle, level, text)

    def _tell(self) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            self._heard(0, logging.WARNING, f"{dropped} lines were dropped: more than {_LINES} in a second")

    def _slow_down(self, descriptor: Any, size: int) -> None:
        """Listen no more for a second, once too much was said: what says it then waits, not the host."""
        self._bytes += size
        if self._bytes > _BYTES and descriptor in self._open:
            self._supervisor.forget(descriptor)
            self._supervisor.at(self._since + 1.0, lambda: self._resume(descriptor))

    def _resume(self, descriptor: Any) -> None:
        read = self._open.get(descriptor)
        if read is not None:
            self._supervisor.watch(descriptor, read)
            self._next_second()

    def _next_second(self) -> None:
        if monotonic() - self._since >= 1.0:
            self._tell()
            self._since, self._lines, self._bytes = monotonic(), 0, 0
