from __future__ import annotations

import logging

from statehold.sdk import StorageLogger


class HostedLogger(StorageLogger):
    """A logger that `logging` does not know, so that it goes away with its version.

    It acts as if it were registered: its parent is the nearest registered logger above its name, or one
    of its very name, so levels and handlers can be set for an app, a version or a single storage.
    """

    @property
    def parent(self) -> logging.Logger | None:
        """The nearest logger that is registered under this name or a beginning of it."""
        known, name = self.manager.loggerDict, self.name
        while name:
            found = known.get(name)
            if isinstance(found, logging.Logger):
                return found
            name = name.rpartition(".")[0]
        return self.root

    @parent.setter
    def parent(self, _: logging.Logger | None) -> None:
        pass

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - as `logging` calls it
        """Return whether a record of *level* would be logged."""
        # Without the cache: `logging` empties only the caches of the loggers it knows.
        return not self.disabled and self.manager.disable < level >= self.getEffectiveLevel()

    def getChild(self, suffix: str) -> HostedLogger:  # noqa: N802
        """Return a logger below this one, with the same filters, as unknown to `logging` as this one."""
        child = HostedLogger(f"{self.name}.{suffix}")
        child.filters = self.filters
        return child
