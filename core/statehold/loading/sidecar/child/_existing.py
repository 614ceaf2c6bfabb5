from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from statehold.loading.sidecar._codec import Codec
from statehold.loading.sidecar._kinds import EXISTING_GET, EXISTING_GETBATCH, EXISTING_READ
from statehold.sdk import FreedError, Key, Value

Ask = Callable[[int, Any], Any]
_READS = itertools.count(1)


class Existing:
    """The storage of the version before, while OPEN or RESUME runs: it is asked through the host.

    What it returns are values of its own version, with the fields that they have there.
    """

    def __init__(self, name: str, codec: Codec, ask: Ask) -> None:
        self._name = name
        self._codec = codec
        self._ask: Ask | None = ask

    def close(self) -> None:
        """Answer nothing any more."""
        self._ask = None

    def free(self) -> None:
        """Do nothing: it is another version's."""

    def _asked(self, kind: int, argument: Any) -> Any:
        if self._ask is None:
            raise FreedError(
                f"{self._name}: what stood before can be asked while the storage opens or resumes, not later"
            )
        return self._ask(kind, argument)

    def _every(self, prefix: Sequence[Any]) -> Iterator[tuple[Key, Value]]:
        number = next(_READS)
        while rows := self._asked(EXISTING_READ, [number, prefix]):
            for row in rows:
                yield self._codec.to_key(row[0]), row[1]


class _Get(Existing):
    def get(self, key: Key) -> Value | None:
        """Return what stands under *key*."""
        found: Value | None = self._asked(EXISTING_GET, self._codec.key(key))
        return found


class _GetBatch(Existing):
    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key."""
        found: Sequence[Value | None] = self._asked(EXISTING_GETBATCH, [self._codec.key(key) for key in keys])
        return found


class _Read(Existing):
    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys start with *key*."""
        yield from self._every(self._codec.prefix(key))


class _Rows(Existing):
    def rows(self) -> Iterator[tuple[Key, Value]]:
        """Yield every row, of all workspaces."""
        yield from self._every(())


_PARTS = {"get": _Get, "get_batch": _GetBatch, "read": _Read, "rows": _Rows}


def existing_of(name: str, methods: Sequence[str], codec: Codec, ask: Ask) -> Existing:
    """Return what has those methods of the storage before."""
    parts = tuple(part for method, part in _PARTS.items() if method in methods) or (Existing,)
    made: Existing = type("Existing", parts, {})(name, codec, ask)
    return made
