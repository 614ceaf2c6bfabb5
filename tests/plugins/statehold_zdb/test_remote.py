"""The storage on a server: ours, over TCP and a UNIX socket."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian import need
from zdb_servers import Running, serving

from statehold.sdk import Field, StorageError
from statehold.testing import StorageConformance, open_storage
from statehold_zdb.client import Client, Place, ZdbConnectionError
from statehold_zdb.engine import Durability, ZdbError
from statehold_zdb.storage import provider

KEY = [Field("Name", "text", required=True)]
VALUE = [Field("Data", "bytes")]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="zdb-remote-"))
    with serving(folder, durability=Durability.parse("relaxed"), server={"socket": folder / "s"}) as found:
        found.engine.create("rows")
        found.engine.configure("rows", password=b"hunter2", public=False)
        yield found
    shutil.rmtree(folder, ignore_errors=True)


class TestZdbOnAServer(StorageConformance):
    """All scenarios, over TCP, in a namespace with a password."""

    provider = provider
    key = [Field("Device", "text", required=True), Field("Point", "int32", required=True)]
    value = [Field("Reading", "float64"), Field("Data", "bytes")]
    durable = True
    examples = 6
    steps = 8
    calls = 15

    @pytest.fixture
    def config(self, running: Running) -> dict[str, object]:
        return {"Url": f"zdb://127.0.0.1:{running.port}/rows", "Password": "hunter2"}

    allowances = {"network": ["127.0.0.1"]}


def test_a_unix_socket_does_as_well(running: Running, tmp_path: Path) -> None:
    """Rows are there for whoever opens the same storage again."""
    path = running.server.options.socket
    options = {
        "key": KEY,
        "value": VALUE,
        "config": {"Url": f"zdb+unix://{path}"},
        "allowances": {"network": [f"unix:{path}"]},
    }
    for expected in (None, b"1"):
        with open_storage(provider, **options) as opened:
            key = opened.key(1, Name="a")
            found = opened.facade.get(key)
            assert (found.Data if found is not None else None) == expected
            opened.insert(key, {"Data": b"1"})


@pytest.mark.parametrize("allowed", [[], ["10.0.0.0/8"], ["127.0.0.1:1"]])
def test_only_what_the_operator_allows_is_connected_to(running: Running, allowed: list[str]) -> None:
    """The address stands in the app's own text."""
    config = {"Url": f"zdb://127.0.0.1:{running.port}/rows"}
    with (
        pytest.raises(StorageError, match="may not connect"),
        open_storage(provider, key=KEY, value=VALUE, config=config, allowances={"network": allowed}),
    ):
        pass


def test_a_server_that_is_not_there_or_refuses_is_told(running: Running) -> None:
    """By its address, and what it said."""
    allowances = {"network": ["127.0.0.1"]}
    for url, said in (
        ("zdb://127.0.0.1:1/x", "cannot reach the 0-db at 127.0.0.1:1"),
        (f"zdb://127.0.0.1:{running.port}/nosuch", "Namespace not found"),
        (f"zdb://127.0.0.1:{running.port}/rows", "Namespace protected and private"),
    ):
        with (
            open_storage(
                provider, key=KEY, value=VALUE, config={"Url": url}, allowances=allowances
            ) as opened,
            pytest.raises(StorageError, match=said),
        ):
            opened.facade.get(opened.key(1, Name="a"))


def test_a_batch_that_a_server_refuses_in_the_middle_is_undone(running: Running) -> None:
    """Keys that were written are as before, those that were not there are gone."""
    running.engine.create("small")
    config = {"Url": f"zdb://127.0.0.1:{running.port}/small"}
    with open_storage(
        provider, key=KEY, value=VALUE, config=config, allowances={"network": ["127.0.0.1"]}
    ) as opened:
        opened.insert(opened.key(1, Name="a"), {"Data": b"before"})
        running.engine.configure("small", maxsize=running.engine["small"].figures().live_bytes + 100)
        batch = [
            opened.facade.insert(opened.key(1, Name=name), {"Data": data})
            for name, data in (("a", b"after"), ("b", b"x"), ("c", b"x" * 1000))
        ]
        with pytest.raises(StorageError, match="No space left"):
            opened.storage.apply_batch(batch)
        assert opened.facade.get(opened.key(1, Name="a")).Data == b"before"
        assert opened.facade.get(opened.key(1, Name="b")) is None


def test_a_batch_that_cannot_be_undone_is_told(running: Running) -> None:
    """In a worm namespace what was written of it stays."""
    running.engine.create("worm")
    config = {"Url": f"zdb://127.0.0.1:{running.port}/worm"}
    with open_storage(
        provider, key=KEY, value=VALUE, config=config, allowances={"network": ["127.0.0.1"]}
    ) as opened:
        opened.insert(opened.key(1, Name="b"), {"Data": b"stands"})
        running.engine.configure("worm", worm=True)
        batch = [opened.facade.insert(opened.key(1, Name=name), {"Data": b"new"}) for name in ("a", "b")]
        with pytest.raises(StorageError, match="cannot be undone"):
            opened.storage.apply_batch(batch)


def test_a_batch_of_which_a_server_takes_nothing_is_told_as_that(running: Running) -> None:
    """A namespace that is locked refuses to undo it, too, but there is nothing to undo."""
    running.engine.create("locked")
    config = {"Url": f"zdb://127.0.0.1:{running.port}/locked"}
    with open_storage(
        provider, key=KEY, value=VALUE, config=config, allowances={"network": ["127.0.0.1"]}
    ) as opened:
        opened.insert(opened.key(1, Name="b"), {"Data": b"stands"})
        running.engine.configure("locked", lock=True)
        batch = [opened.facade.insert(opened.key(1, Name=name), {"Data": b"new"}) for name in ("a", "b")]
        with pytest.raises(StorageError) as caught:
            opened.storage.apply_batch(batch)
        assert "undone" not in caught.value.message


@pytest.mark.parametrize(
    "said", [b"$x\r\n", b":1.5\r\n", b"*?\r\n", b"*1\r\n" * 5000, b"HTTP/1.1 400 Bad Request\r\n"]
)
def test_a_server_that_speaks_another_language_is_told(said: bytes) -> None:
    """By an error of 0-db; the connection is not used again."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1000):
                    pass

        server = threading.Thread(target=serve)
        server.start()
        try:
            with pytest.raises(ZdbConnectionError):
                Client(Place("127.0.0.1", listening.getsockname()[1]), limit=60)
        finally:
            server.join()


def test_a_connection_that_broke_is_made_anew(running: Running) -> None:
    """A server that was started again, or closed what was idle."""
    config = {"Url": f"zdb://127.0.0.1:{running.port}/default"}
    with open_storage(
        provider, key=KEY, value=VALUE, config=config, allowances={"network": ["127.0.0.1"]}
    ) as opened:
        key = opened.key(1, Name="again")
        opened.insert(key, {"Data": b"1"})
        for connection in list(running.server.connections):
            running._loop.call_soon_threadsafe(connection.end)
        assert opened.facade.get(key).Data == b"1"


@pytest.mark.parametrize("url", ["", "http://x", "zdb://", "zdb://h:x/n", "zdb://:pw@h/n", "zdb+unix://"])
def test_urls_that_are_none(url: str) -> None:
    """They are refused, with what is expected."""
    with pytest.raises(ZdbError, match="0-db"):
        Place.parse(url)


def test_redis_cli_speaks_to_it(running: Running) -> None:
    """Its own greeting, and commands by word."""
    need("redis-cli", "redis-tools")

    def ask(*words: str) -> str:
        command = ["redis-cli", "-p", str(running.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    assert ask("PING") == "PONG"
    assert ask("SET", "from the shell", "1") == "from the shell"
    assert ask("GET", "from the shell") == "1"
    assert "Namespace not found" in ask("NSINFO", "nosuch")
    assert ask("NSLIST").splitlines()[0] == "default"
