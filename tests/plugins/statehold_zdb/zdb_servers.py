from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import redis

from statehold_zdb.engine import Engine, EngineOptions
from statehold_zdb.server import Executable, Server, ServerOptions

LIMIT = 60


class Running:
    """A server on a thread of this process."""

    def __init__(self, engine: Engine, options: ServerOptions, executable: Executable | None = None) -> None:
        self.engine = engine
        self._options, self._executable = options, executable
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="zdb-test-server")
        self._thread.start()
        assert self._started.wait(LIMIT)
        if self._error is not None:
            self._thread.join()
            raise self._error

    def _run(self) -> None:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.server = Server(self.engine, self._options, executable=self._executable)
        try:
            await self.server.start()
        except BaseException as error:
            self._error = error
            self._started.set()
            return
        self._started.set()
        try:
            await self.server.serve()
        finally:
            await self.server.stop()

    @property
    def port(self) -> int:
        return self.server.ports[0]

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.server.stop_soon)
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()

    def client(self) -> Talk:
        return Talk(self.port)


class Talk:
    """A connection of redis-py, whose answers are as they came."""

    def __init__(self, port: int, **options: object) -> None:
        self.redis = redis.Redis(port=port, protocol=2, socket_timeout=LIMIT, **options)
        self._connection = self.redis.connection_pool.get_connection()

    def __call__(self, *words: object) -> object:
        self._connection.send_command(*words)
        return self.read()

    def read(self) -> object:
        try:
            return self._connection.read_response(disconnect_on_error=False)
        except redis.ResponseError as error:
            return f"-{error}"

    def send(self, *words: object) -> None:
        self._connection.send_command(*words)

    def close(self) -> None:
        self.redis.connection_pool.release(self._connection)
        self.redis.close()


@contextlib.contextmanager
def serving(
    folder: Path, *plugins: object, server: dict[str, object] | None = None, **options: object
) -> Iterator[Running]:
    chosen = {"addresses": (("127.0.0.1", 0),), **(server or {})}
    executable = next((plugin for plugin in plugins if isinstance(plugin, Executable)), None)
    with Engine(
        folder / "data", folder / "index", options=EngineOptions(**options), plugins=plugins
    ) as engine:
        running = Running(engine, ServerOptions(**chosen), executable)
        try:
            yield running
        finally:
            running.stop()


@contextlib.contextmanager
def raw(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """Return all that comes until the server ends the connection."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, data
        data += piece
    return data


def request(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


@contextlib.contextmanager
def clients(path: Path, count: int) -> Iterator[list[socket.socket]]:
    """Connect, over a UNIX socket: what is sent is there at once."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
        for each in made:
            each.settimeout(LIMIT)
            each.connect(str(path))
            each.sendall(request(b"PING"))
            assert exactly(each, 7) == b"+PONG\r\n"
        yield made


@contextlib.contextmanager
def one_turn(running: Running) -> Iterator[None]:
    """Keep the loop from reading until all has been sent."""
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        go.wait(LIMIT)

    running._loop.call_soon_threadsafe(hold)
    assert held.wait(LIMIT)
    yield
    go.set()
