from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from qsfs_stores import LIMIT

from statehold_qsfs.protection import Protection, ProtectionOptions, Store
from statehold_zdb.engine import Durability, Engine, EngineOptions

#: The smallest that a segment can be.
SEGMENT = 512 * 1024


class Machine:
    """A folder with an engine, protected by a store."""

    def __init__(self, folder: Path, store: Store, *, window: float = 1.0, **options: object) -> None:
        self.folder = folder
        engine = {name: options.pop(name) for name in ("compact_at", "compact_every") if name in options}
        self.fenced = threading.Event()
        self.protection = Protection(
            store,
            folder,
            options=ProtectionOptions(window=window, **options),
            on_fenced=lambda _: self.fenced.set(),
        )
        try:
            self.engine = Engine(
                folder / "data",
                folder / "index",
                options=EngineOptions(durability=Durability.parse("relaxed"), segment_size=SEGMENT, **engine),
                plugins=[self.protection.plugin],
            )
            self.protection.start(self.engine)
        except BaseException:
            self.protection.close()
            if hasattr(self, "engine"):
                self.engine.close()
            raise
        self.names = self.engine["default"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once, as far as the store is concerned as a crash would."""
        self.protection.close()
        self.engine.close()

    def fill(self, count: int, *, size: int = 8000, start: int = 0) -> None:
        """Set keys, of which some 65 are a segment."""
        for i in range(start, start + count):
            self.names.set(b"%d" % i, payload(i, size))

    def settle(self) -> None:
        """Wait until closed segments are each one object."""
        self.protection.barrier(LIMIT)
        until(lambda: not self.protection.figures().unsealed)

    def contents(self) -> dict[str, dict[bytes, bytes | None]]:
        return {each.name: {key: each.get(key) for key in each.keys()} for each in self.engine}  # noqa: SIM118


def payload(i: int, size: int = 8000) -> bytes:
    return (b"%d." % i * (size // len(b"%d." % i) + 1))[:size]


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
