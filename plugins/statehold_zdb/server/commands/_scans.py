from __future__ import annotations

from functools import partial

from statehold_zdb.engine import Mode, Version, ZdbCursorError, ZdbError, ZdbMissingError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Answer, Arguments, Client

_HISTORY_KEY = 8
_PIECE = 10_000


def scan(client: Client, arguments: Arguments) -> Answer:
    """SCAN [cursor]: answers the next cursor, and keys, sizes and stamps, in the order of their writes."""
    return _scan(client, arguments, backward=False)


def rscan(client: Client, arguments: Arguments) -> Answer:
    """RSCAN [cursor]: answers what SCAN does, from the last write to the first."""
    return _scan(client, arguments, backward=True)


def _scan(client: Client, arguments: Arguments, *, backward: bool) -> Answer:
    if len(arguments) > 2:
        return replies.UNEXPECTED
    try:
        page = client.namespace.scan(arguments[1] if len(arguments) == 2 else None, backward=backward)
    except ZdbError as error:
        return replies.refused(client.namespace, error)
    if page is None:
        return b"-No more data\r\n"
    rows = [
        b"*3\r\n$%d\r\n%b\r\n:%d\r\n:%d\r\n" % (len(key), key, size, stamp) for key, size, stamp in page.found
    ]
    return b"*2\r\n%b*%d\r\n%b" % (replies.bulk(page.cursor), len(rows), b"".join(rows))


def kscan(client: Client, arguments: Arguments) -> Answer:
    """KSCAN prefix: answers all keys that begin with it."""
    if client.namespace.settings.mode is not Mode.USER:
        return b"-Index running mode doesn't support this feature\r\n"
    if len(arguments) != 2:
        return replies.UNEXPECTED
    if not arguments[1]:
        return replies.INVALID
    return _kscan(client, arguments[1])


async def _kscan(client: Client, prefix: bytes) -> bytes:
    namespace = client.namespace

    def work() -> list[bytes]:
        return [key for key in namespace.keys() if key.startswith(prefix)]  # noqa: SIM118

    try:
        keys: list[bytes] = await client.server.in_thread_quietly(work)
    except ZdbError as error:
        return replies.refused(namespace, error)
    if not keys:
        return b"-No keys match\r\n"
    client.send(b"*2\r\n$1\r\n0\r\n*%d\r\n" % len(keys))
    for i in range(0, len(keys), _PIECE):
        client.send(b"".join(map(replies.bulk, keys[i : i + _PIECE])))
        await client.drain()
    return b""


def history(client: Client, arguments: Arguments) -> Answer:
    """HISTORY key [where]: answers what leads to the version before, the stamp, and the payload."""
    if len(arguments) not in (2, 3):
        return b"-Invalid arguments\r\n"
    before = arguments[2] if len(arguments) == 3 else None
    if before is not None and len(before) != _HISTORY_KEY:
        return b"-Invalid arguments\r\n"
    if before == bytes(_HISTORY_KEY):
        return b"-No more history\r\n"
    return _history(client, arguments[1], before)


async def _history(client: Client, key: bytes, before: bytes | None) -> bytes:
    namespace, server = client.namespace, client.server
    read = partial(namespace.history, key, before, waits=False)
    try:
        try:
            version: Version | None = await server.in_thread_quietly(read)
        except ZdbMissingError as missing:  # a thread that waited for it would be missed by others
            if not await server.fetched(namespace, missing.segment):
                return replies.CANNOT_READ
            version = await server.in_thread_quietly(read)
    except ZdbCursorError as error:
        text = "invalid key" if "another key" in error.message else "index query"
        return replies.error(f"Invalid arguments ({text})")
    except ZdbError as error:
        return replies.refused(namespace, error)
    if version is None:
        return replies.NOT_FOUND
    older = replies.NIL if version.before is None else replies.bulk(version.before)
    return b"*3\r\n%b%b%b" % (older, replies.bulk(b"%d" % version.stamp), replies.bulk(version.payload))


def keycur(client: Client, arguments: Arguments) -> Answer:
    """KEYCUR key: answers the cursor by which SCAN goes on after it."""
    if len(arguments) != 2:
        return replies.UNEXPECTED
    if not arguments[1]:
        return replies.INVALID
    try:
        cursor = client.namespace.cursor(arguments[1])
    except ZdbError as error:
        return replies.refused(client.namespace, error)
    return replies.NOT_FOUND if cursor is None else replies.bulk(cursor)
