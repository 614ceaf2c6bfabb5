from __future__ import annotations

import logging
import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from statehold.loading import Entry
from statehold.loading.sidecar import SidecarPlugin, Sidecars
from statehold.sdk import StorageLogger
from statehold.testing import OpenStorage, open_storage

sys.path.insert(0, str(Path(__file__).parent))

WILD = Path(__file__).with_name("wild.py").read_text(encoding="utf-8")
PATIENCE = 30.0


class Records(logging.Handler):
    """Keeps records, and waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue()
        self.seen: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._queue.put(record)

    def wait_for(self, text: str) -> logging.LogRecord:
        """Return the next record whose message holds *text*."""
        while True:
            record = self._queue.get(timeout=PATIENCE)
            self.seen.append((record.levelno, record.getMessage()))
            if text in record.getMessage():
                return record


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def logger(records: Records) -> StorageLogger:
    made = StorageLogger("test.wild", logging.DEBUG)
    made.addHandler(records)
    return made


@pytest.fixture(scope="session")
def shared() -> Iterator[Sidecars]:
    """Sidecars without a sandbox: their storages have folders that each test makes."""
    with Sidecars(sandbox=False) as made:
        yield made


@pytest.fixture(scope="session")
def installed(shared: Sidecars) -> Iterator[Callable[..., SidecarPlugin]]:
    """Loads an installed provider into a sidecar, each one once."""
    loaded: dict[str, SidecarPlugin] = {}

    def load(name: str, value: str) -> SidecarPlugin:
        if name not in loaded:
            entry = Entry(name=name, value=value, distribution="statehold", version="0", location="/")
            loaded[name] = shared.load_installed([entry], owner="test.app 1")
        return loaded[name]

    yield load
    for plugin in loaded.values():
        plugin.free()


@pytest.fixture
def wild_file(make_wheel: Callable[..., Path]) -> Path:
    return make_wheel({"wild.py": WILD}, name="acme-wild", storages={"Wild": "wild:provider"})


@pytest.fixture
def wild(shared: Sidecars, wild_file: Path, logger: StorageLogger) -> Iterator[Callable[..., OpenStorage]]:
    """Opens the wild storage in a sidecar of its own."""
    with ExitStack() as stack:

        def make(sidecars: Sidecars = shared, existing: object = None, **options: object) -> OpenStorage:
            plugin = sidecars.load_file(wild_file, owner="acme.bills 1", **options)  # type: ignore[arg-type]
            stack.enter_context(plugin)
            provider = plugin.providers["Wild"]
            return stack.enter_context(open_storage(provider, logger=logger, existing=existing))

        yield make
