from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from statehold.hosting._app import App

Listener = Callable[[App], None]


class Listeners:
    """Those who want to hear when an app got another current version."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._known: tuple[Listener, ...] = ()
        self._changing = threading.Lock()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell *listener* from now on, and return what ends that."""
        with self._changing:
            self._known = (*self._known, listener)
        return partial(self._remove, listener)

    def tell(self, app: App) -> None:
        """Tell all; one that raises is logged, since what it hears of has happened."""
        for listener in self._known:
            try:
                listener(app)
            except Exception:
                current = app.current_or_none
                self._logger.exception(
                    "%s, which was told that %s of %s is current, failed",
                    *(_named(listener), "no version" if current is None else current.name, app.name),
                )

    def _remove(self, listener: Listener) -> None:
        with self._changing:
            self._known = tuple(known for known in self._known if known != listener)


def _named(listener: Listener) -> str:
    function = listener.func if isinstance(listener, partial) else listener
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', type(function).__module__)}.{name}"
