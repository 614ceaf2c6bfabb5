"""Where rows are: in files of one's own, or on a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Protocol

import attrs

from statehold.sdk import StorageError
from statehold_zdb.client import Pool, ReplyError
from statehold_zdb.engine import Namespace, ZdbError

_PAGE: Final = 256


class Rowset(Protocol):
    """Keys and payloads."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the payloads, in the order of *keys*."""

    def keys(self, starts: tuple[bytes, ...]) -> list[bytes]:
        """Return the keys that begin with one of *starts*, in their order."""

    def write(self, payloads: Mapping[bytes, bytes]) -> None:
        """Put payloads under keys: all of them, or none."""

    def probe(self) -> None:
        """Raise if it does not work."""

    def close(self) -> None:
        """Give it back."""


@attrs.define(eq=False)
class Files:
    """A namespace of an engine of this process."""

    _namespace: Namespace
    _release: Callable[[], None]

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return list(map(self._namespace.get, keys))

    def keys(self, starts: tuple[bytes, ...]) -> list[bytes]:
        return sorted(key for key in self._namespace.keys() if key.startswith(starts))  # noqa: SIM118

    def write(self, payloads: Mapping[bytes, bytes]) -> None:
        self._namespace.write(list(payloads.items()))

    def probe(self) -> None:
        self._namespace.sync()

    def close(self) -> None:
        self._release()


@attrs.define(eq=False)
class Server:
    """A namespace of a server.

    A server takes one write at a time: if one of a batch is refused, those before it are undone.
    """

    _pool: Pool

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        found: list[bytes | None] = []
        for some in _pages(keys):
            found += map(_checked, self._pool.calls([(b"GET", key) for key in some]))
        return found

    def keys(self, starts: tuple[bytes, ...]) -> list[bytes]:
        found: set[bytes] = set()
        cursor: tuple[bytes, ...] = ()
        while True:
            (page,) = self._pool.calls([(b"SCAN", *cursor)])
            if isinstance(page, ReplyError):
                if page.message == "No more data":
                    return sorted(found)
                raise page
            cursor = (page[0],)
            found.update(key for key, _, _ in page[1] if key.startswith(starts))

    def write(self, payloads: Mapping[bytes, bytes]) -> None:
        keys = list(payloads)
        before = self.get(keys) if len(keys) > 1 else []
        try:
            for some in _pages(keys):
                for answer in self._pool.calls([(b"SET", key, payloads[key]) for key in some]):
                    _checked(answer)
        except ZdbError:
            if before:
                self._undo(keys, before)
            raise

    def probe(self) -> None:
        _checked(self._pool.calls([(b"PING",)])[0])

    def close(self) -> None:
        self._pool.close()

    def _undo(self, keys: Sequence[bytes], before: Sequence[bytes | None]) -> None:
        undo = [
            (b"DEL", key) if payload is None else (b"SET", key, payload)
            for key, payload in zip(keys, before, strict=True)
        ]
        try:
            for some in _pages(undo):
                for answer in self._pool.calls(some):
                    if not (isinstance(answer, ReplyError) and answer.message == "Key not found"):
                        _checked(answer)
        except ZdbError as error:
            with contextlib.suppress(ZdbError):
                if self.get(keys) == before:
                    return  # nothing of it was written
            raise StorageError(
                f"a batch was refused, and what was written of it cannot be undone: {error.message}",
                hint="Look at the server, and write the batch again",
            ) from error


def _checked(answer: Any) -> Any:
    if isinstance(answer, ReplyError):
        raise answer
    return answer


def _pages(items: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while page := list(islice(rest, _PAGE)):
        yield page
