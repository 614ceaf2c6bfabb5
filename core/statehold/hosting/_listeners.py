from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from statehold.hosting._app import App

Listener = Callable[[App], None]


class Listeners:
    """Those who want to hear when an app got another current version."""

    def __init__(self) -> None:
        self._known: tuple[Listener, ...] = ()
        self._changing = threading.Lock()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell *listener* from now on, and return what ends that."""
        with self._changing:
            self._known = (*self._known, listener)
        return partial(self._remove, listener)

    def tell(self, app: App) -> None:
        """Tell all."""
        for listener in self._known:
            listener(app)

    def _remove(self, listener: Listener) -> None:
        with self._changing:
            self._known = tuple(known for known in self._known if known != listener)
