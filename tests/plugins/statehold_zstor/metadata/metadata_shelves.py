"""Backends in memory that fail as they are told to, and metadata on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import attrs

from statehold_zstor.backends import (
    BackendUnreachableError,
    Buffer,
    Health,
    ValueChangedError,
    ValueMissingError,
)
from statehold_zstor.codec import MasterKey
from statehold_zstor.metadata import Metadata, ObjectMeta

LIMIT = 60.0
KEY = MasterKey(b"m" * 32)


class KilledError(BaseException):
    """The process that made the call is dead."""


@attrs.define(eq=False)
class Shelf:
    """What a backend has; it outlives those who use it."""

    name: str
    values: dict[str, bytes] = attrs.field(factory=dict)
    down: bool = False
    #: Calls wait for it.
    gate: threading.Event | None = None
    lock: threading.Lock = attrs.field(factory=threading.Lock)


def _nothing(call: str) -> None:
    pass


@attrs.define(eq=False)
class OnShelf:
    """A backend as one process sees it: *before* and *after* each call it may fail."""

    shelf: Shelf
    before: Callable[[str], None] = _nothing
    after: Callable[[str], None] = _nothing

    @property
    def name(self) -> str:
        return self.shelf.name

    def _reach(self, call: str) -> None:
        self.before(call)
        if self.shelf.gate is not None:
            assert self.shelf.gate.wait(LIMIT)
        if self.shelf.down:
            raise BackendUnreachableError(f"{self.name} is down", backend=self.name)

    def put(self, key: str, value: Buffer) -> None:
        self._reach("put")
        self.shelf.values[key] = bytes(value)
        self.after("put")

    def get(self, key: str) -> bytes:
        self._reach("get")
        found = self.shelf.values.get(key)
        self.after("get")
        if found is None:
            raise ValueMissingError(f"{self.name} has no {key}", backend=self.name)
        return found

    def swap(self, key: str, before: bytes | None, after: bytes | None) -> None:
        self._reach("swap")
        with self.shelf.lock:
            if self.shelf.values.get(key) not in (before, after):
                raise ValueChangedError(f"{self.name} has another {key}", backend=self.name)
            if after is None:
                self.shelf.values.pop(key, None)
            else:
                self.shelf.values[key] = after
        self.after("swap")

    def delete(self, key: str) -> None:
        self._reach("delete")
        self.shelf.values.pop(key, None)

    def keys(self, prefix: str = "") -> Iterator[str]:
        self._reach("keys")
        yield from [key for key in list(self.shelf.values) if key.startswith(prefix)]

    def health(self) -> Health:
        return Health(reachable=not self.shelf.down)

    def close(self) -> None:
        pass


def shelves(count: int = 4) -> list[Shelf]:
    return [Shelf(f"shelf-{number}") for number in range(count)]


def metadata_on(
    found: list[Shelf],
    *,
    minimal: int = 2,
    acknowledge: int | None = None,
    key: MasterKey = KEY,
    before: Callable[[int, str], None] | None = None,
    after: Callable[[int, str], None] | None = None,
) -> Metadata:
    def bound(hook: Callable[[int, str], None] | None, number: int) -> Callable[[str], None]:
        return _nothing if hook is None else lambda call: hook(number, call)

    backends = [
        OnShelf(shelf, before=bound(before, number), after=bound(after, number))
        for number, shelf in enumerate(found)
    ]
    return Metadata(backends, minimal=minimal, key=key, prefix="test", acknowledge=acknowledge)


def meta(key: str, generation: int = 1, **changes: object) -> ObjectMeta:
    fields: dict[str, object] = {
        "key": key,
        "generation": generation,
        "size": 1000 + generation,
        "checksum": generation,
        "stored": 1.5,
        "minimal": 2,
        "expected": 3,
        "block_size": 4096,
        "salt": b"s" * 16,
        "keys": f"test/data/{key}.{generation}",
        "places": ("file:///a", "file:///b", "file:///c"),
        "texts": {"name": f"text {generation} " * 20},
        **changes,
    }
    return ObjectMeta(**fields)
