from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import attrs


@attrs.define(eq=False)
class Keeper:
    """Calls *care* again and again, on a thread of its own; what it raises goes to *logger*."""

    care: Callable[[], None]
    logger: logging.Logger
    _seconds: float = attrs.field(default=1.0, init=False)
    _wake: threading.Event = attrs.field(factory=threading.Event, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)

    def start(self, seconds: float) -> None:
        """Begin; *seconds* lie between two calls."""
        self._seconds = seconds
        self._thread = threading.Thread(target=self._run, name="zdb-keeper", daemon=True)
        self._thread.start()

    def tick(self, seconds: float) -> None:
        """Let *seconds* lie between two calls from now on, and call at once."""
        self._seconds = seconds
        self._wake.set()

    def stop(self) -> None:
        """End the thread; a second time does nothing."""
        self._ended = True
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(self._seconds)
            self._wake.clear()
            if not self._ended:
                try:
                    self.care()
                except Exception:
                    self.logger.exception("what is done again and again has failed, and is tried again")
