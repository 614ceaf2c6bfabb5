from __future__ import annotations

import threading
from collections.abc import Callable

from statehold.hosting._app import App
from statehold.hosting._data import DataKeeper
from statehold.hosting._registry import Registry
from statehold.hosting._settings import HostSettings
from statehold.hosting._sweeping import Sweeper
from statehold.rows import RowDriver


class Apps:
    """The apps of one host, each made when it is first named, with what keeps its data."""

    def __init__(
        self,
        registry: Registry,
        rows: RowDriver,
        settings: HostSettings,
        *,
        sweeper: Sweeper,
        keep: int,
        swapped: Callable[[App], None],
    ) -> None:
        self._registry = registry
        self._rows = rows
        self._settings = settings
        self._sweeper = sweeper
        self._keep = keep
        self._swapped = swapped
        self._making = threading.Lock()
        self._known: dict[str, App] = {}

    @property
    def known(self) -> tuple[App, ...]:
        """Those that have been named."""
        return tuple(self._known.values())

    def find(self, name: str) -> App | None:
        """Return an app that has been named."""
        return self._known.get(name)

    def get(self, name: str) -> App:
        """Return an app, which need not be deployed."""
        with self._making:
            app = self._known.get(name)
            if app is None:
                keeper = DataKeeper(
                    name,
                    self._rows,
                    self._settings.logger,
                    is_deployed=lambda: bool(self._registry.entries(name)),
                )
                app = App(name, keeper, keep=self._keep, swapped=self._swapped)
                # Others look without the lock.
                self._known = {**self._known, name: app}
                self._sweeper.add(keeper)
            return app
