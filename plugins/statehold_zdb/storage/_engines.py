from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final

import attrs

from statehold_zdb.engine import Engine, EngineOptions

_DATA: Final = "data"
_INDEX: Final = "index"


@attrs.define
class _Shared:
    engine: Engine
    users: int = 0


@attrs.define(eq=False)
class Engines:
    """The engines that are open, each once, however many versions of an app use it."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _open: dict[Path, _Shared] = attrs.field(factory=dict, init=False)

    def take(self, folder: Path, options: EngineOptions, logger: logging.Logger) -> Engine:
        """Return the engine of *folder*, opened if nobody has it; the options of the first count."""
        with self._lock:
            shared = self._open.get(folder)
            if shared is None:
                engine = Engine(folder / _DATA, folder / _INDEX, options=options, logger=logger)
                shared = self._open[folder] = _Shared(engine)
            shared.users += 1
            return shared.engine

    def give_back(self, folder: Path) -> None:
        """Close the engine of *folder*, if nobody else has it."""
        with self._lock:
            shared = self._open[folder]
            shared.users -= 1
            if shared.users:
                return
            del self._open[folder]
            shared.engine.close()
