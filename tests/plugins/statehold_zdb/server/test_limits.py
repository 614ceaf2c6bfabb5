"""What a connection takes of a server that is slow, or of which too much is asked: told without a network."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from zdb_engines import FailingDisk, contents, opened
from zdb_servers import LIMIT, bulk, request

from statehold_zdb.engine import Durability, Engine
from statehold_zdb.server import Server, ServerOptions
from statehold_zdb.server import _sending as sending
from statehold_zdb.server._connection import Connection
from statehold_zdb.server._protocol import MAX_ARGUMENT, MAX_REQUEST, Large, ProtocolError, Reader


class Wire:
    """A transport whose client takes nothing, or so it says; and what is read from it."""

    def __init__(self, server: Server) -> None:
        self.sent = b""
        self.reading, self.aborted, self.waiting = True, False, 0
        self.connection = Connection(server)
        self.connection.connection_made(self)  # type: ignore[arg-type]

    def get_extra_info(self, _name: str) -> Wire:
        return self

    def fileno(self) -> int:
        return -1

    def set_write_buffer_limits(self, *, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def write(self, data: bytes) -> None:
        self.sent += data

    def writelines(self, data: list[bytes]) -> None:
        self.sent += b"".join(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True

    def says(self, data: bytes) -> None:
        while data:
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]


@contextlib.asynccontextmanager
async def served(engine: Engine) -> AsyncIterator[Server]:
    server = Server(engine, ServerOptions(addresses=()))
    try:
        yield server
    finally:
        await server.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_nothing_is_lost_of_what_comes_in_two_pieces_before_the_turn_ends(
    tmp_path: Path, durability: str
) -> None:
    """As from more clients at once than one poll tells of; with a piece too large to wait for its end."""
    model = {b"k%d" % i: b"%02d" % i * 5000 for i in range(14)}
    data = b"".join(request(b"SET", key, payload) for key, payload in model.items())

    async def talk(engine: Engine) -> None:
        async with served(engine) as server:
            one, _other = Wire(server), Wire(server)
            one.says(data[:90_000])
            one.says(data[90_000:])
            await until(lambda: one.sent == b"".join(map(bulk, model)))

    with opened(tmp_path, durability=Durability.parse(durability)) as engine:
        asyncio.run(talk(engine))
        assert contents(engine["default"]) == model


def test_a_client_whose_write_waits_for_a_slow_disk_cannot_have_answers_heaped_up(tmp_path: Path) -> None:
    disk, payload, count = FailingDisk(), b"p" * 300_000, 20

    async def talk(engine: Engine) -> None:
        async with served(engine) as server:
            one = Wire(server)
            one.says(request(b"SET", b"k", b"v"))
            asked = 0
            while one.reading and asked < count:
                one.says(request(b"GET", b"large"))
                asked += 1
            assert 0 < asked < count
            assert one.sent == b""
            slow.set()
            await until(lambda: one.sent == bulk(b"k") + bulk(payload) * asked)
            assert one.reading

    with opened(tmp_path, durability=Durability.parse("group"), disk=disk) as engine:
        engine["default"].set(b"large", payload)
        disk.slow = slow = threading.Event()
        try:
            asyncio.run(talk(engine))
        finally:
            slow.set()


@pytest.mark.parametrize("command", ["MGET", "KSCAN"])
def test_a_long_answer_waits_for_the_write_before_it(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the client, who takes what it is sent, taken for one that does not."""
    disk, count = FailingDisk(), 40_000 if command == "KSCAN" else 10
    keys = [b"k%06d" % i for i in range(count)]
    payload = b"p" * (8 if command == "KSCAN" else 300_000)
    monkeypatch.setattr(sending, "PIECE", 100_000)
    monkeypatch.setattr(sending, "_MOST_UNTAKEN", 300_000)

    async def talk(engine: Engine) -> None:
        async with served(engine) as server:
            one = Wire(server)
            one.says(request(b"SET", b"other", b"v"))
            one.says(request(b"KSCAN", b"k") if command == "KSCAN" else request(b"MGET", *keys))
            one.says(request(b"PING"))
            await asyncio.sleep(0.1)
            assert not one.aborted
            assert one.sent == b""
            slow.set()
            await until(lambda: one.sent.endswith(b"+PONG\r\n"))
            head = b"*2\r\n$1\r\n0\r\n*%d\r\n" if command == "KSCAN" else b"*%d\r\n"
            items = map(bulk, keys) if command == "KSCAN" else [bulk(payload)] * count
            assert one.sent == bulk(b"other") + head % count + b"".join(items) + b"+PONG\r\n"

    with opened(tmp_path, durability=Durability.parse("group"), disk=disk) as engine:
        engine["default"].write([(key, payload) for key in keys])
        disk.slow = slow = threading.Event()
        try:
            asyncio.run(talk(engine))
        finally:
            slow.set()


def test_what_a_client_asked_for_that_goes_at_once_is_given_up_without_a_warning(tmp_path: Path) -> None:
    async def talk(engine: Engine) -> None:
        async with served(engine) as server:
            one = Wire(server)
            one.says(request(b"SET", b"k", b"v"))
            one.connection.connection_lost(None)
            await asyncio.sleep(0.01)

    with (
        opened(tmp_path, durability=Durability.parse("every")) as engine,
        warnings.catch_warnings(record=True) as told,
    ):
        warnings.simplefilter("always")
        asyncio.run(talk(engine))
        gc.collect()
    assert not [each for each in told if "_when_synced" in str(each.message)]


def test_a_mirror_that_takes_nothing_is_disconnected(tmp_path: Path) -> None:
    async def talk(engine: Engine) -> None:
        async with served(engine) as server:
            mirror, writer = Wire(server), Wire(server)
            mirror.says(request(b"MIRROR"))
            for i in range(3):
                writer.says(request(b"SET", b"k%d" % i, b"v"))
                await until(lambda i=i: writer.sent.endswith(bulk(b"k%d" % i)))  # type: ignore[misc]
                assert mirror.aborted == (i == 2)
                mirror.waiting += 40 * 1024**2
            assert mirror.sent.count(b"SET") == 2

    assert sending.PIECE < 40 * 1024**2
    with opened(tmp_path, durability=Durability.parse("relaxed")) as engine:
        asyncio.run(talk(engine))


def test_a_request_has_a_limit_for_all_of_its_arguments_together() -> None:
    reader, payload = Reader(), memoryview(bytes(MAX_ARGUMENT))
    head = b"$%d\r\n" % MAX_ARGUMENT
    found, at = reader.read(b"*5\r\n" + head, 0)
    for _ in range(MAX_REQUEST // MAX_ARGUMENT - 1):
        assert isinstance(found, Large)
        assert reader.take(payload) is None
        found, at = reader.read(head, 0)
    assert reader.take(payload) is None
    assert reader.read(b"$0\r\n\r\n", 0) == (None, len(b"$0\r\n\r\n"))
    with pytest.raises(ProtocolError, match="Payload too big"):
        reader.read(b"$1\r\nx\r\n", 0)
    assert at == 0
