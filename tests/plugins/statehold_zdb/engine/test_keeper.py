"""What nobody has foreseen ends neither what is done in the background nor what is done for others."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from statehold_zdb.engine import Disk, Durability, Engine, EngineOptions

LIMIT = 60


class Strange(Disk):
    """Fails in a way that no disk does, in the folder of one namespace, and says which others were synced."""

    def __init__(self) -> None:
        self.failed = threading.Event()
        self.synced = threading.Event()

    def sync(self, fd: int) -> None:
        path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
        if "/one/" in path and threading.current_thread().name == "zdb-keeper":
            self.failed.set()
            raise RuntimeError("nobody has foreseen it")
        super().sync(fd)
        if self.failed.is_set() and "/two/" in path:
            self.synced.set()


def test_other_namespaces_are_synced_in_time_when_one_fails_unforeseen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Strange()
    options = EngineOptions(durability=Durability.parse("relaxed:0.1"), disk=disk)
    with Engine(tmp_path / "data", tmp_path / "index", options=options) as engine:
        for name in ("one", "two"):
            engine.create(name)
        engine["one"].set(b"key", b"value")
        assert disk.failed.wait(LIMIT)
        engine["two"].set(b"key", b"value")
        assert disk.synced.wait(LIMIT)
    assert "nobody has foreseen it" in caplog.text


def test_the_keeper_goes_on_after_what_nobody_has_foreseen(caplog: pytest.LogCaptureFixture) -> None:
    from statehold_zdb.engine._keeper import Keeper

    again = threading.Event()
    calls = []

    def care() -> None:
        calls.append(1)
        if len(calls) > 1:
            again.set()
        raise RuntimeError("nobody has foreseen it")

    keeper = Keeper(care, logging.getLogger("statehold_zdb"))
    keeper.start(0.01)
    try:
        assert again.wait(LIMIT)
    finally:
        keeper.stop()
    assert "nobody has foreseen it" in caplog.text
