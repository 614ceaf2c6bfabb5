from __future__ import annotations

import logging
import threading
import weakref
from typing import Final

from statehold.hosting._data import DataKeeper
from statehold.rows import RowStoreError, StoreClosedError

#: At most so many rows at a time, so that no commit waits for long behind them.
_ROWS: Final = 500


class Sweeper:
    """Removes rows whose time to live is over, now and then, on a thread of its own.

    Args:
        pause: seconds from one round to the next.
        logger: hears of stores that cannot be swept.

    """

    def __init__(self, pause: float, logger: logging.Logger) -> None:
        self._keepers: weakref.WeakSet[DataKeeper] = weakref.WeakSet()
        self._stop = threading.Event()
        # The thread knows neither the host nor this, so that a host which is forgotten can be collected.
        self._thread = threading.Thread(
            target=_run, args=(self._keepers, self._stop, pause, logger), name="statehold-sweep", daemon=True
        )
        self._end = weakref.finalize(self, self._stop.set)
        self._thread.start()

    def add(self, keeper: DataKeeper) -> None:
        """Sweep the data of one more app, as long as it is known to somebody else."""
        self._keepers.add(keeper)

    def close(self) -> None:
        """End the thread, after the part of its work that it is at."""
        self._end()
        self._thread.join()


def _run(
    keepers: weakref.WeakSet[DataKeeper], stop: threading.Event, pause: float, logger: logging.Logger
) -> None:
    while not stop.wait(pause):
        for keeper in list(keepers):
            sweep(keeper, stop, logger)


def sweep(keeper: DataKeeper, stop: threading.Event, logger: logging.Logger) -> None:
    """Remove the expired rows of one app, a part at a time, until there are none or *stop* is set."""
    try:
        while keeper.sweep(_ROWS) == _ROWS and not stop.is_set():
            pass
    except StoreClosedError:
        pass  # The last version of the app has just been freed.
    except RowStoreError as error:
        logger.warning("expired rows could not be removed: %s", error)
