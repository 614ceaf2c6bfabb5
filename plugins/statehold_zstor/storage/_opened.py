from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import attrs

from statehold_zstor.config import Config
from statehold_zstor.objects import Zstor


@attrs.define
class _Shared:
    zstor: Zstor
    users: int = 0


@attrs.define(eq=False)
class Opened:
    """The zstors that are open, each once, however many partitions and versions of an app use it."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _open: dict[str, _Shared] = attrs.field(factory=dict, init=False)

    def take(self, name: str, config: Callable[[], Config], logger: logging.Logger) -> Zstor:
        """Return the zstor called *name*, opened if nobody has it."""
        with self._lock:
            shared = self._open.get(name)
            if shared is None:
                shared = self._open[name] = _Shared(Zstor(config(), logger=logger))
            shared.users += 1
            return shared.zstor

    def give_back(self, name: str) -> None:
        """Close the zstor called *name*, if nobody else has it."""
        with self._lock:
            shared = self._open[name]
            shared.users -= 1
            if shared.users:
                return
            del self._open[name]
        shared.zstor.close()
