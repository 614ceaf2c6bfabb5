"""Objects over backends of all kinds at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from zstor_servers import S3Server, zdb
from zstor_worlds import KEY, META_KEY

from statehold_zstor.config import Config
from statehold_zstor.objects import Zstor

DATA = os.urandom(300_000)


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder with a short path, for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="zs-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def config_of(folder: Path, backends: list[dict[str, object]], metadata: list[dict[str, object]]) -> Config:
    table = {
        "minimal_shards": 2,
        "expected_shards": 4,
        "block_size": 65536,
        "timeout": 20,
        "encryption": {"key": KEY},
        "meta": {"config": {"prefix": "kinds", "encryption": {"key": META_KEY}, "backends": metadata}},
        "groups": [{"backends": backends}],
        "acknowledge": {"metadata": 2},
    }
    return Config.of(table, folder=folder)


def play(folder: Path, backends: list[dict[str, object]], stop: contextlib.ExitStack) -> None:
    """Lose all that is no folder: what was stored is read, and is whole again without it."""
    for number in range(5):
        (folder / f"f{number}").mkdir()
    folders = [{"url": f"file:f{number}"} for number in range(5)]
    wanted = config_of(folder, [*backends, *folders[: 4 - len(backends)]], [backends[0], *folders[:2]])
    with Zstor(wanted) as zstor:
        stored = zstor.store("key", DATA)
        assert zstor.store("key", DATA, expected=1).generation == 2
        zstor.settle()
        assert zstor.verify("key").whole
        urls = [backend.name for backend in zstor.status().backends[: len(backends)]]
        assert set(urls) <= set(stored.backends)
        stop.close()
        assert zstor.read("key", 100_000, 1000) == DATA[100_000:101_000]
        zstor.reload(config_of(folder, folders, [backends[0], *folders[:2]]))
        assert zstor.rebuild("key").repaired
        assert zstor.verify("key").whole
        assert not set(urls) & set(zstor.rebuild("key").info.backends)
        zstor.store("other", DATA[:10])
        assert {info.key for info in zstor.list()} == {"key", "other"}


def test_0_dbs_and_folders(short: Path) -> None:
    """Two namespaces of a server that ends."""
    with contextlib.ExitStack() as stop:
        running = stop.enter_context(zdb(short))
        for name in ("a", "b"):
            running.engine.create(name)
        address = f"127.0.0.1:{running.port}"
        socket = f"zdb+unix://{short / 's'}?namespace=b"
        play(short, [{"address": address, "namespace": "a"}, {"url": socket}], stop)


@pytest.mark.soak
def test_object_stores_0_dbs_and_folders(short: Path) -> None:
    """A bucket and a namespace, of servers that end."""
    with contextlib.ExitStack() as stop:
        running = stop.enter_context(zdb(short))
        server = S3Server()
        stop.callback(server.stop)
        server.make("shards")
        secrets = {"access_key": "testing", "secret_key": "testing", "endpoint": server.endpoint}
        running.engine.create("a")
        address = f"127.0.0.1:{running.port}"
        play(
            short,
            [{"address": address, "namespace": "a"}, {"url": "s3://shards/here", **secrets, "timeout": 5}],
            stop,
        )
