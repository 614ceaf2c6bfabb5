from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from backend_conformance import BackendConformance
from zdb_servers import Running
from zstor_servers import LIMIT, S3Server, zdb, zdb_config

from statehold_zstor.config import BackendConfig


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="zstor") as folder, zdb(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "50")
        server = S3Server()
        yield server
        server.stop()


class TestZdb(BackendConformance):
    @pytest.fixture
    def config(self, running: Running) -> BackendConfig:
        return zdb_config(running)


class TestFolder(BackendConformance):
    many = 110

    @pytest.fixture
    def config(self, tmp_path: Path) -> BackendConfig:
        folder = tmp_path / "shards of mine"
        folder.mkdir()
        return BackendConfig(url=f"file://{folder}".replace(" ", "%20"), timeout=LIMIT)


class TestS3(BackendConformance):
    many = 110

    @pytest.fixture
    def config(self, s3: S3Server) -> BackendConfig:
        return s3.config()
