from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final

from statehold.images import plain
from statehold.loading.wasm._errors import GuestError, Reason
from statehold.loading.wasm._limits import WasmLimits
from statehold.loading.wasm._memory import Memory
from statehold.sdk import Clock, StorageLogger

#: As the LogLevel of sys.Logger, whose last one is a trace.
_LEVELS: Final = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, logging.DEBUG)
_BILLION: Final = 1_000_000_000
_MOST_RANDOM: Final = 65_536
_SHOWN: Final = 200


class Imports:
    """What an instance has of its host: the log, the time and randomness.

    What it logs in a call is kept until `tell`, so that no handler of the log runs in the instance's time.
    """

    def __init__(self, limits: WasmLimits, logger: StorageLogger, clock: Clock) -> None:
        self.memory = Memory()
        self.lines: list[tuple[int, str]] = []
        self._limits = limits
        self._logger = logger
        self._clock = clock
        self._dropped = 0

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names that modules import."""
        return {"log": self._log, "clock": self._time, "random": self._random}

    def tell(self) -> None:
        """Log what the instance has logged."""
        lines, self.lines = self.lines, []
        dropped, self._dropped = self._dropped, 0
        for level, text in lines:
            self._logger.log(level, "%s", text)
        if dropped:
            self._logger.warning("%d more lines of that call were dropped", dropped)

    @property
    def last_words(self) -> str:
        """What the instance has logged last in the call, for an error."""
        return f", after it had logged {self.lines[-1][1][:_SHOWN]!r}" if self.lines else ""

    def _log(self, level: int, start: int, length: int) -> None:
        self.memory.check(start, length)
        if len(self.lines) >= self._limits.log_lines:
            self._dropped += 1
            return
        text = self.memory.read(start, min(length, self._limits.log_bytes)).decode(errors="replace")
        self.lines.append((_LEVELS[min(max(level, 1), len(_LEVELS)) - 1], plain(text)))

    def _time(self, kind: int) -> int:
        if kind == 0:
            return int(self._clock.now() * _BILLION)
        if kind == 1:
            return time.monotonic_ns()
        raise GuestError(f"asked for the clock {kind}, and there are 0 and 1", reason=Reason.TRAPPED)

    def _random(self, start: int, length: int) -> None:
        self.memory.check(start, length)
        if length > _MOST_RANDOM:
            raise GuestError(
                f"asked for {length} random bytes, and {_MOST_RANDOM} are the most", reason=Reason.TRAPPED
            )
        self.memory.write(start, os.urandom(length))
