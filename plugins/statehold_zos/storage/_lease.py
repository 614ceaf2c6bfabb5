from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs

from statehold.sdk import FreedError, Shared, StateholdError, StorageContext, StorageError
from statehold_zos.model import Config
from statehold_zos.node import Node

#: The storage that says which node it is.
HOME = "Disk"


@attrs.define(eq=False)
class Lease:
    """The use of a node that others use, too; the last one to give it back stops it.

    Attributes:
        config: what the node was opened with.

    """

    config: Config
    _storage: str
    _node: Node | None
    _release: Callable[[], None]

    @classmethod
    def of(cls, ctx: StorageContext, nodes: Shared[Node], config: Config) -> Lease:
        """Return the node of a configuration, started if nobody has it.

        Raises:
            StorageError: it cannot be started.

        """
        folder = str(config.folder)
        try:
            node = nodes.take(folder, lambda: Node.started(config, logger=ctx.logger))
        except StateholdError as error:
            raise StorageError(f"{ctx.storage}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise StorageError(f"{ctx.storage}: {_said(error)}") from error
        return cls(config, ctx.storage, node, partial(nodes.give_back, folder))

    @classmethod
    def beside(cls, ctx: StorageContext, nodes: Shared[Node]) -> Lease:
        """Return the node of the storage `Disk` of the same package. Raises as `of`."""
        home: Any = ctx.storages[HOME]
        return cls.of(ctx, nodes, home.config)

    @contextmanager
    def using(self, operation: str) -> Generator[Node]:
        """Give the node, and say of what fails in which storage that was."""
        if self._node is None:
            raise FreedError(f"{self._storage} was used after it had been freed")
        try:
            yield self._node
        except StorageError as error:
            if error.message.startswith(f"{self._storage}: "):
                raise
            message = f"{self._storage}: {operation} failed: {error.message}"
            raise StorageError(message, hint=error.hint) from error
        except OSError as error:
            raise StorageError(f"{self._storage}: {operation} failed: {_said(error)}") from error

    def give_back(self) -> None:
        """Give it back; a second time does nothing."""
        node, self._node = self._node, None
        if node is not None:
            self._release()


def _said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)
