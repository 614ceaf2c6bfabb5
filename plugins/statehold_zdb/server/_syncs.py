from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs

from statehold_zdb.engine import Namespace, ZdbError

if TYPE_CHECKING:
    from statehold_zdb.server._sending import Sending


@attrs.define(eq=False)
class Syncs:
    """Syncs namespaces on a thread of its own, so that nobody waits for the disk who need not."""

    logger: logging.Logger
    _thread: ThreadPoolExecutor = attrs.field(
        factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="zdb-sync"), init=False
    )
    _waiting: dict[Namespace, set[Sending]] = attrs.field(factory=dict, init=False)

    def soon(self, namespace: Namespace, connection: Sending) -> None:
        """Sync *namespace*, for all who ask until it begins, and then let *connection* answer."""
        waiting = self._waiting.get(namespace)
        if waiting is not None:
            waiting.add(connection)
            return
        self._waiting[namespace] = {connection}
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._sync, namespace)
        done.add_done_callback(lambda _: self._synced(namespace))

    async def alone(self, namespace: Namespace) -> None:
        """Return after a sync of *namespace* for one; ZdbError if it cannot be."""
        await asyncio.get_running_loop().run_in_executor(self._thread, namespace.sync)

    def stop(self) -> None:
        """Return when all that was asked for has been done."""
        self._thread.shutdown(wait=True)

    def _sync(self, namespace: Namespace) -> None:
        try:
            namespace.sync()
        except ZdbError as error:
            self.logger.error("%s", error)  # noqa: TRY400 - the error says it

    def _synced(self, namespace: Namespace) -> None:
        for connection in self._waiting.pop(namespace):
            connection.release()
