from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from statehold_zdb.engine import (
    Namespace,
    ZdbCursorError,
    ZdbError,
    ZdbFrozenError,
    ZdbFullError,
    ZdbKeyError,
    ZdbReadError,
    ZdbReadOnlyError,
    ZdbTooLargeError,
    ZdbWormError,
    ZdbWriteError,
)

OK: Final = b"+OK\r\n"
NIL: Final = b"$-1\r\n"
LOCKED: Final = b"-Namespace is temporarily locked (read-only)\r\n"
FROZEN: Final = b"-Namespace is temporarily frozen (read-write disabled)\r\n"
READ_ONLY: Final = b"-Namespace is in read-only mode\r\n"
CANNOT_WRITE: Final = b"-Cannot write data right now\r\n"
CANNOT_READ: Final = b"-Internal Error (cannot read)\r\n"
GONE: Final = b"-Your active namespace is not available anymore (probably removed).\r\n"
INVALID_KEY: Final = b"-Invalid key\r\n"
NOT_FOUND: Final = b"-Key not found\r\n"
UNEXPECTED: Final = b"-Unexpected arguments\r\n"
INVALID: Final = b"-Invalid argument\r\n"
DENIED: Final = b"-Permission denied\r\n"

_TEXTS: Final[tuple[tuple[type[ZdbError], bytes], ...]] = (
    (ZdbFrozenError, FROZEN),
    (ZdbFullError, b"-No space left on this namespace\r\n"),
    (ZdbWormError, b"-Namespace is protected by worm mode\r\n"),
    (ZdbWriteError, CANNOT_WRITE),
    (ZdbTooLargeError, b"-Payload too big\r\n"),
    (ZdbReadError, CANNOT_READ),
    (ZdbCursorError, b"-Invalid key format\r\n"),
    (ZdbKeyError, INVALID_KEY),
)


def error(text: str) -> bytes:
    """Return an error."""
    return b"-%b\r\n" % text.encode("utf-8", "surrogateescape")


def refused(namespace: Namespace, error: ZdbError) -> bytes:
    """Return what the original answers where the engine raises *error*."""
    if namespace.closed:
        return GONE
    if isinstance(error, ZdbReadOnlyError):
        return LOCKED if namespace.settings.lock else READ_ONLY
    for kind, text in _TEXTS:
        if isinstance(error, kind):
            return text
    return b"-Internal Error\r\n"


def bulk(data: bytes | memoryview) -> bytes:
    """Return a bulk string."""
    return b"".join((b"$%d\r\n" % len(data), data, b"\r\n"))


def number(value: int) -> bytes:
    """Return a number."""
    return b":%d\r\n" % value


def array(items: Iterable[bytes]) -> bytes:
    """Return an array of what are replies already."""
    items = list(items)
    return b"*%d\r\n%b" % (len(items), b"".join(items))
