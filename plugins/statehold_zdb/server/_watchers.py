from __future__ import annotations

import asyncio

import attrs

from statehold_zdb.server._client import Client

_ANY = "*"


@attrs.define(eq=False)
class Watchers:
    """Clients that wait for a command of another one, on the same namespace."""

    _waiting: dict[Client, tuple[str, asyncio.Future[str]]] = attrs.field(factory=dict, init=False)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(self, client: Client, name: str, seconds: float) -> str | None:
        """Return the command that another client has sent, *name* or any for `*`; None if none has."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[client] = name, future
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(client, None)

    def saw(self, client: Client, name: str) -> None:
        """Tell those who wait that *client* has sent the command *name*."""
        for waiting, (wanted, future) in self._waiting.items():
            if (
                waiting is not client
                and waiting.namespace is client.namespace
                and wanted in (_ANY, name)
                and not future.done()
            ):
                future.set_result(name)
