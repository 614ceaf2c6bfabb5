"""Backends in memory that fail as they are told to, and configurations of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from statehold_zstor.backends import (
    BackendFullError,
    BackendUnreachableError,
    Health,
    ValueChangedError,
    ValueMissingError,
)
from statehold_zstor.config import BackendConfig, Config
from statehold_zstor.objects import Zstor

LIMIT = 60
KEY = "ab" * 32
META_KEY = "cd" * 32
BLOCK = 4096


@attrs.define(eq=False)
class Shelf:
    """What a backend has, and how it is: it outlives those who opened it."""

    name: str
    values: dict[str, bytes] = attrs.field(factory=dict)
    down: bool = False
    full: bool = False
    #: Calls wait for it, and fail if it takes too long.
    gate: threading.Event | None = None
    gets: list[str] = attrs.field(factory=list)
    #: Is called before each put, with its key.
    before_put: Callable[[str], None] = lambda key: None
    lock: threading.RLock = attrs.field(factory=threading.RLock)

    def data(self) -> list[str]:
        """Return the keys of pieces."""
        return sorted(key for key in self.values if "/data/" in key)

    def pieces(self, shard: int) -> list[str]:
        return [key for key in self.data() if key.rpartition("/")[0].endswith(f".{shard}")]


@attrs.define(eq=False)
class InMemory:
    """A backend on a shelf."""

    shelf: Shelf
    closed: bool = False

    @property
    def name(self) -> str:
        return self.shelf.name

    def _reach(self) -> None:
        assert not self.closed, "a backend was used after it had been closed"
        if self.shelf.gate is not None and not self.shelf.gate.wait(LIMIT):
            raise BackendUnreachableError("it takes too long", backend=self.name)
        if self.shelf.down:
            raise BackendUnreachableError(f"{self.name} is down", backend=self.name)

    def put(self, key: str, value: bytes | memoryview) -> None:
        self.shelf.before_put(key)
        self._reach()
        if self.shelf.full:
            raise BackendFullError(f"{self.name} is full", backend=self.name)
        self.shelf.values[key] = bytes(value)

    def get(self, key: str) -> bytes:
        self._reach()
        self.shelf.gets.append(key)
        if key not in self.shelf.values:
            raise ValueMissingError(f"{self.name} has no {key}", backend=self.name)
        return self.shelf.values[key]

    def swap(self, key: str, before: bytes | None, after: bytes | None) -> None:
        self._reach()
        with self.shelf.lock:
            if self.shelf.values.get(key) != before:
                raise ValueChangedError(f"{self.name} has another {key}", backend=self.name)
            if after is None:
                self.shelf.values.pop(key, None)
            elif self.shelf.full:
                raise BackendFullError(f"{self.name} is full", backend=self.name)
            else:
                self.shelf.values[key] = bytes(after)

    def delete(self, key: str) -> None:
        self._reach()
        self.shelf.values.pop(key, None)

    def keys(self, prefix: str = "") -> Iterator[str]:
        self._reach()
        yield from [key for key in list(self.shelf.values) if key.startswith(prefix)]

    def health(self) -> Health:
        try:
            self._reach()
        except BackendUnreachableError as error:
            return Health(reachable=False, problem=error.message)
        used = sum(map(len, self.shelf.values.values()))
        return Health(
            reachable=True, objects=len(self.shelf.values), used=used, free=0 if self.shelf.full else 10**9
        )

    def close(self) -> None:
        self.closed = True


@attrs.define(eq=False)
class Place:
    """Shelves by URL, and zstors over them."""

    shelves: dict[str, Shelf] = attrs.field(factory=dict)

    def open(self, config: BackendConfig) -> InMemory:
        return InMemory(self.shelf(config.url))

    def shelf(self, url: str) -> Shelf:
        return self.shelves.setdefault(url, Shelf(url))

    def data(self, number: int) -> Shelf:
        return self.shelf(data_url(number))

    def metas(self) -> list[Shelf]:
        return [shelf for url, shelf in self.shelves.items() if "meta" in url]

    def datas(self) -> list[Shelf]:
        return [shelf for url, shelf in sorted(self.shelves.items()) if "data" in url]

    def zstor(self, config: Config | None = None, **changes: object) -> Zstor:
        return Zstor(config or config_of(**changes), opener=self.open)

    def left(self) -> int:
        """Return how many pieces there are on all shelves."""
        return sum(len(shelf.data()) for shelf in self.datas())


def data_url(number: int) -> str:
    return f"file:///zstor/data-{number:02}"


def table_of(
    *,
    k: int = 3,
    n: int = 5,
    groups: tuple[int, ...] = (5,),
    metas: int = 4,
    block: int = BLOCK,
    removed: frozenset[int] = frozenset(),
    urls: Callable[[int], str] = data_url,
    meta_urls: Callable[[int], str] = lambda number: f"file:///zstor/meta-{number:02}",
    **changes: object,
) -> dict[str, object]:
    numbers = iter(range(1000))
    return {
        "minimal_shards": k,
        "expected_shards": n,
        "block_size": block,
        "encryption": {"algorithm": "AES", "key": KEY},
        "meta": {
            "type": "zdb",
            "config": {
                "prefix": "test",
                "encryption": {"algorithm": "AES", "key": META_KEY},
                "backends": [{"url": meta_urls(number)} for number in range(metas)],
            },
        },
        "groups": [
            {
                "backends": [
                    {"url": urls(number)}
                    for number in (next(numbers) for _ in range(count))
                    if number not in removed
                ]
            }
            for count in groups
        ],
        "monitor": {"health": 0.1},
        **changes,
    }


def config_of(**changes: object) -> Config:
    return Config.of(table_of(**changes), folder=Path("/"))


def toml_of(table: dict[str, object]) -> str:
    """Return a table as TOML."""
    lines: list[str] = []
    _write(table, "", lines)
    return "\n".join(lines) + "\n"


def _write(table: dict[str, object], path: str, lines: list[str]) -> None:
    for name, value in table.items():
        if not isinstance(value, dict) and not (
            isinstance(value, list) and value and isinstance(value[0], dict)
        ):
            lines.append(f"{name} = {json.dumps(value)}")
    for name, value in table.items():
        whole = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            lines.append(f"[{whole}]")
            _write(value, whole, lines)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                lines.append(f"[[{whole}]]")
                _write(each, whole, lines)
