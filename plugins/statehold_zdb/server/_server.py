from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import attrs

from statehold_zdb.engine import Engine, Namespace, ZdbError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._buffers import Buffers
from statehold_zdb.server._client import Client
from statehold_zdb.server._connection import Connection
from statehold_zdb.server._executable import Executable
from statehold_zdb.server._hot import Hot
from statehold_zdb.server._polling import Polling
from statehold_zdb.server._syncs import Syncs
from statehold_zdb.server._turn import Turn
from statehold_zdb.server._watchers import Watchers
from statehold_zdb.server.commands import COMMANDS

_RECEIVE: Final = 256 * 1024
_BACKLOG: Final = 512


@attrs.frozen(kw_only=True)
class ServerOptions:
    """Where a server listens, and what its clients may do.

    Attributes:
        addresses: hosts and ports; port 0 for any that is free.
        socket: a UNIX socket.
        admin_password: makes clients administrators; without one all are.
        protect: the namespace `default` has the administrators' password, and is only read without it.
        cache: how many bytes of answers are kept in memory.
        stoppable: whether the command STOP ends the server.
        hide: whether only administrators are told the names of all namespaces.
        busy_poll: for how many seconds after an answer the next request is waited for without sleeping, as
            long as it mostly comes by then; 0 for never.

    """

    addresses: tuple[tuple[str, int], ...] = (("127.0.0.1", 9900),)
    socket: Path | None = None
    admin_password: bytes | None = None
    protect: bool = False
    cache: int = 32 * 1024 * 1024
    stoppable: bool = False
    hide: bool = False
    busy_poll: float = 0.0001


@attrs.define
class Counts:
    """What a server has seen so far."""

    clients: int = 0
    commands: int = 0
    failed: int = 0
    unauthorized: int = 0
    received: int = 0
    sent: int = 0


class Server:
    """Speaks the dialect of 0-db over TCP and UNIX sockets, for one engine, on one event loop.

    Args:
        engine: what it serves; is not closed with it.
        options: where and for whom.
        executable: the program that hears of the engine's events, for the command HOOKS.
        logger: where it tells what an operator should know.

    """

    def __init__(
        self,
        engine: Engine,
        options: ServerOptions,
        *,
        executable: Executable | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self.engine: Final = engine
        self.options: Final = options
        self.executable: Final = executable
        self.logger: Final = logger or logging.getLogger("statehold_zdb")
        self.admin_password: Final = options.admin_password
        self.started: Final = time.time()
        self.instance_id: Final = secrets.randbits(32)
        self.counts: Final = Counts()
        self.hot: Final = Hot(options.cache)
        self.buffers: Final = Buffers()
        #: Where all connections are read into, one at a time.
        self.receiving: Final = memoryview(bytearray(_RECEIVE))
        self.connections: Final[set[Connection]] = set()
        self.watchers: Final = Watchers()
        self.polling: Final = Polling(options.busy_poll)
        self.turn: Final = Turn(self)
        self.syncs: Final = Syncs(self.logger)
        self.mirrors: Final[set[Client]] = set()
        self.words: Final = {
            word: name for name in COMMANDS for word in (name.encode(), name.lower().encode())
        }
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="zdb-command")
        self._listening: list[asyncio.Server] = []
        self._has_socket = False
        self._stopped = asyncio.Event()

    @property
    def version(self) -> str:
        """The version of Statehold."""
        from importlib.metadata import version  # noqa: PLC0415 - INFO is rare

        return version("statehold")

    @property
    def observed(self) -> bool:
        """Whether anybody wants to hear of commands."""
        return bool(self.watchers) or bool(self.mirrors)

    @property
    def ports(self) -> list[int]:
        """The ports that it listens on."""
        return [
            each.getsockname()[1]
            for server in self._listening
            for each in server.sockets
            if each.family in (socket.AF_INET, socket.AF_INET6)
        ]

    async def start(self) -> None:
        """Begin to listen; ZdbError if an address cannot be had."""
        loop = asyncio.get_running_loop()
        if self.options.protect and self.admin_password is not None:
            await self.in_thread_quietly(self._protect)
        try:
            for host, port in self.options.addresses:
                self._listening.append(
                    await loop.create_server(self._connection, host, port, backlog=_BACKLOG)
                )
            if self.options.socket is not None:
                _remove_stale(self.options.socket)
                self._listening.append(
                    await loop.create_unix_server(
                        self._connection, str(self.options.socket), backlog=_BACKLOG
                    )
                )
                self._has_socket = True
                self.options.socket.chmod(0o600)
        except OSError as error:
            await self.stop()
            raise ZdbError(
                f"cannot listen: {error}", hint="Give another address, or end who has it"
            ) from error

    async def serve(self) -> None:
        """Serve until `stop_soon` is called."""
        await self._stopped.wait()

    def stop_soon(self) -> None:
        """End `serve`."""
        self._stopped.set()

    async def stop(self) -> None:
        """Listen no more, and end all connections."""
        for server in self._listening:
            server.close()
        for connection in list(self.connections):
            connection.end()
        for server in self._listening:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 5)
        self._listening.clear()
        if self.options.socket is not None and self._has_socket:  # else it is another server's
            self.options.socket.unlink(missing_ok=True)
        self.syncs.stop()
        self._threads.shutdown(wait=True)

    # What commands and connections ask for

    def in_thread(self, work: Callable[[], bytes]) -> Coroutine[Any, Any, bytes]:
        """Return what *work* returns, which runs on a thread, so that other connections go on."""
        return self.in_thread_quietly(work)

    async def in_thread_quietly(self, work: Callable[[], Any]) -> Any:
        """Run *work* on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def fetched(self, namespace: Namespace, segment: int) -> bool:
        """Whether a missing segment came, within the engine's limit."""
        future = asyncio.wrap_future(namespace.fetching.start(segment))
        done, _ = await asyncio.wait({future}, timeout=self.engine.options.fetch_limit)
        return bool(done) and future.result()

    def saw(self, client: Client, name: str, request: list[bytes], answer: object) -> None:
        """Tell those who watch, and those who mirror, of a command."""
        self.watchers.saw(client, name)
        if name in ("SET", "SETX", "DEL") and isinstance(answer, bytes) and answer[:1] != b"-":
            data = replies.array(map(replies.bulk, request))
            for mirror in self.mirrors:
                if mirror is not client and mirror.namespace is client.namespace:
                    mirror.send(data)

    # Inside

    def _connection(self) -> Connection:
        return Connection(self)

    def _protect(self) -> None:
        self.engine.configure("default", password=self.admin_password, public=True)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more, as a server that was killed leaves it."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise ZdbError(f"{path} is there, and is no socket", hint="Give another name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink()
        else:
            raise ZdbError(f"another server listens on {path}", hint="Stop that one first")
