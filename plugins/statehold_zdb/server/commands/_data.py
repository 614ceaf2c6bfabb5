from __future__ import annotations

from statehold_zdb.engine import MAX_KEY, Mode, ZdbError, ZdbKeyError, ZdbMissingError, ZdbWormError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Answer, Arguments, Client
from statehold_zdb.server.commands._numbers import number_of

#: After so many bytes of an answer the client has to take some of them first.
_PIECE = 1024 * 1024
_STAMPS = 2**32


def set_(client: Client, arguments: Arguments) -> Answer:
    """SET key payload [stamp]: answers the key, or nil if that stands there already."""
    stamp = None
    if len(arguments) == 4:
        if not client.admin:
            return replies.DENIED
        stamp = _stamp(arguments[3])
        if stamp is None:
            return replies.INVALID
    elif len(arguments) != 3:
        return replies.UNEXPECTED
    key = arguments[1]
    namespace = client.namespace
    if len(key) > MAX_KEY:
        return b"-Key too large\r\n"
    if not client.writable:
        return replies.READ_ONLY
    if not key and namespace.settings.mode is Mode.USER:
        return b"-Invalid argument, key needed\r\n"
    try:
        kept, client.batch = namespace.stage(bytes(key), arguments[2], stamp=stamp)
    except ZdbKeyError:
        return b"-Invalid key, only update authorized\r\n"
    except ZdbError as error:
        return replies.refused(namespace, error)
    return replies.NIL if kept is None else replies.bulk(kept)


def get(client: Client, arguments: Arguments) -> Answer:
    """GET key: answers the payload, or nil."""
    return _one_key(arguments) or _get(client, arguments[1])


def mget(client: Client, arguments: Arguments) -> Answer:
    """MGET key...: answers the payloads, in order."""
    if len(arguments) < 2:
        return b"-Invalid arguments\r\n"
    if any(not 0 < len(key) <= MAX_KEY for key in arguments[1:]):
        return replies.INVALID_KEY
    return _mget(client, arguments[1:])


async def _mget(client: Client, keys: Arguments) -> bytes:
    pieces, size = [b"*%d\r\n" % len(keys)], 0
    for key in keys:
        answer = _get(client, key)
        piece = answer if isinstance(answer, bytes) else await answer
        pieces.append(piece)
        size += len(piece)
        if size > _PIECE:
            client.send(b"".join(pieces))
            await client.drain()
            pieces, size = [], 0
    return b"".join(pieces)


def _get(client: Client, key: bytes) -> Answer:
    namespace = client.namespace
    try:
        found = namespace.find(key)
    except ZdbMissingError as missing:
        return _get_missing(client, key, missing)
    except ZdbError as error:
        return replies.refused(namespace, error)
    if found is None:
        return replies.NIL
    return replies.bulk(found)


async def _get_missing(client: Client, key: bytes, missing: ZdbMissingError) -> bytes:
    if not await client.server.fetched(client.namespace, missing.segment):
        return replies.CANNOT_READ
    try:
        found = client.namespace.find(key)
    except ZdbError as error:
        return replies.refused(client.namespace, error)
    if found is None:
        return replies.NIL
    return replies.bulk(found)


def delete(client: Client, arguments: Arguments) -> Answer:
    """DEL key [stamp]."""
    stamp = None
    if len(arguments) == 3:
        if not client.admin:
            return replies.DENIED
        stamp = _stamp(arguments[2])
        if stamp is None:
            return replies.INVALID
    if wrong := _one_key(arguments[:2] if len(arguments) == 3 else arguments):
        return wrong
    if not client.writable:
        return replies.READ_ONLY
    namespace = client.namespace
    try:
        gone, client.batch = namespace.stage_delete(arguments[1], stamp=stamp)
    except ZdbWormError:
        return b"-Cannot delete a key when namespace is in worm mode\r\n"
    except ZdbError as error:
        return replies.refused(namespace, error)
    return replies.OK if gone else replies.NOT_FOUND


def exists(client: Client, arguments: Arguments) -> Answer:
    """EXISTS key: answers 0 or 1."""
    if wrong := _one_key(arguments):
        return wrong
    try:
        return replies.number(client.namespace.exists(arguments[1]))
    except ZdbError as error:
        return replies.refused(client.namespace, error)


def check(client: Client, arguments: Arguments) -> Answer:
    """CHECK key: 1 if the payload is what was written, 0 if not, -1 if it cannot be read; nil for no key."""
    if wrong := _one_key(arguments):
        return wrong
    try:
        whole = client.namespace.check(arguments[1])
    except ZdbMissingError:
        return replies.number(-1)
    except ZdbError as error:
        return replies.refused(client.namespace, error)
    return replies.NIL if whole is None else replies.number(whole)


def length(client: Client, arguments: Arguments) -> Answer:
    """LENGTH key: answers the bytes of the payload, or nil."""
    return _of_entry(client, arguments, "size")


def keytime(client: Client, arguments: Arguments) -> Answer:
    """KEYTIME key: answers when it was written, in seconds since 1970, or nil."""
    return _of_entry(client, arguments, "stamp")


def _of_entry(client: Client, arguments: Arguments, field: str) -> Answer:
    if wrong := _one_key(arguments):
        return wrong
    try:
        entry = client.namespace.entry(arguments[1])
    except ZdbError as error:
        return replies.refused(client.namespace, error)
    return replies.NIL if entry is None else replies.number(getattr(entry, field))


def _stamp(said: bytes) -> int | None:
    stamp = number_of(said)
    return stamp if stamp is not None and stamp < _STAMPS else None


def _one_key(arguments: Arguments) -> bytes | None:
    if len(arguments) != 2:
        return replies.UNEXPECTED
    if not arguments[1]:
        return replies.INVALID
    return replies.INVALID_KEY if len(arguments[1]) > MAX_KEY else None
