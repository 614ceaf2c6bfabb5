from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

import attrs

#: What bytes are read from.
Buffer: TypeAlias = bytes | bytearray | memoryview

#: The longest key, in characters.
MAX_KEY: Final = 200
#: The largest value of any backend, in bytes: that of 0-db.
MAX_VALUE: Final = 8 * 1024 * 1024


@attrs.frozen(kw_only=True)
class Health:
    """How a backend is.

    Attributes:
        reachable: whether it answers, and lets this client in: what it has can be read.
        objects: how many values it has; None where it does not say.
        used: bytes; None where it does not say.
        limit: the most bytes that it may have; None where it has no limit, or does not say.
        free: the bytes that still fit; None where nobody knows.
        problem: what is wrong; empty where nothing is.

    """

    reachable: bool
    objects: int | None = None
    used: int | None = None
    limit: int | None = None
    free: int | None = None
    problem: str = ""


class Backend(Protocol):
    """Values under keys, somewhere; for any number of threads.

    A key has 1 to `MAX_KEY` characters: ASCII letters, digits, `.`, `_`, `-` and `/`, and no part between
    slashes is empty or begins with a dot. A value has 1 to `MAX_VALUE` bytes. A write is on disk when it
    returns, if the backend syncs its writes.

    Each call ends within about the seconds that the backend was opened with (that of a folder when the
    operating system ends it), and raises:

    - `BackendUnreachableError`, in all of them;
    - `BackendFullError` from `put` and `swap`;
    - `BackendRefusedError` for a wrong password, key or size;
    - `BackendDamagedError` from `get` and `swap`.
    """

    @property
    def name(self) -> str:
        """Its address, without secrets. Metadata say by it where a shard is."""

    def put(self, key: str, value: Buffer) -> None:
        """Put *value* under *key*, in the place of what stands there; a reader sees one of both, whole."""

    def get(self, key: str) -> bytes:
        """Return what stands under *key*; ValueMissingError where nothing does."""

    def swap(self, key: str, before: bytes | None, after: bytes | None) -> None:
        """Put *after* under *key* if *before* stands there, or *after* already; None is nothing, in both.

        Of those who swap at once, with the same *before* and each with another *after*, one succeeds. Two
        backends do not promise that: the original 0-db, and an object store where *after* is nothing. There
        somebody may come between the look and the write.

        Raises:
            ValueChangedError: something else stands there.

        """

    def delete(self, key: str) -> None:
        """Delete what stands under *key*, if anything does."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield each key that begins with *prefix* once, in no order, a page at a time.

        Keys that come or go meanwhile may be among them or not.
        """

    def health(self) -> Health:
        """Tell how it is; never raises. Counts of a folder or an object store may be some minutes old."""

    def close(self) -> None:
        """Give back its connections."""
