from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import attrs

from statehold.sdk import Shared, StorageContext, using
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
        with using(ctx.storage, "open"):
            node = nodes.take(folder, lambda: Node.started(config, logger=ctx.logger))
        return cls(config, ctx.storage, node, partial(nodes.give_back, folder))

    @classmethod
    def beside(cls, ctx: StorageContext, nodes: Shared[Node]) -> Lease:
        """Return the node of the storage `Disk` of the same package. Raises as `of`."""
        home: Any = ctx.storages[HOME]
        return cls.of(ctx, nodes, home.config)

    @contextmanager
    def using(self, operation: str) -> Generator[Node]:
        """Give the node, and say of what fails in which storage that was."""
        with using(self._storage, operation, freed=self._node is None):
            yield cast("Node", self._node)

    def give_back(self) -> None:
        """Give it back; a second time does nothing."""
        node, self._node = self._node, None
        if node is not None:
            self._release()
