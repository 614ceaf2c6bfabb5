from __future__ import annotations

import time as clock

from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Answer, Arguments, Client
from statehold_zdb.server._info import server_info
from statehold_zdb.server._passwords import challenge, grants, is_password, is_word

_DEFAULT_WAIT = 5000
_SHORTEST, _LONGEST = 100, 30 * 60 * 1000
MAX_PASSWORD = 128


def asterisk(_client: Client, _arguments: Arguments) -> Answer:
    """Answer that `*` is only for WAIT."""
    return b"-This is not a valid command\r\n"


def ping(_client: Client, _arguments: Arguments) -> Answer:
    """PING: answers PONG."""
    return b"+PONG\r\n"


def time(_client: Client, _arguments: Arguments) -> Answer:
    """TIME: answers seconds since 1970, and microseconds."""
    seconds, rest = divmod(clock.time_ns(), 1_000_000_000)
    return replies.array([replies.bulk(b"%d" % seconds), replies.bulk(b"%d" % (rest // 1000))])


def auth(client: Client, arguments: Arguments) -> Answer:
    """AUTH password, AUTH SECURE CHALLENGE, AUTH SECURE hash: makes the client an administrator."""
    if len(arguments) not in (2, 3):
        return replies.UNEXPECTED
    if not all(arguments):
        return replies.INVALID
    expected = client.server.admin_password
    if len(arguments) == 2:
        if expected is None:
            return b"-Authentication disabled\r\n"
        if len(arguments[1]) > MAX_PASSWORD:
            return b"-Password too long\r\n"
        if not is_password(arguments[1], expected):
            return b"-Access denied\r\n"
    else:
        if not is_word(arguments[1], b"SECURE"):
            return b"-Only SECURE extra method supported\r\n"
        if is_word(arguments[2], b"CHALLENGE"):
            client.nonce = challenge()
            return b"+%b\r\n" % client.nonce
        if expected is None:
            return b"-Authentication disabled\r\n"
        if refused := grants(client, arguments[2], expected):
            return refused
    client.admin = True
    return replies.OK


def wait(client: Client, arguments: Arguments) -> Answer:
    """WAIT command [milliseconds]: answers when another client has sent it to this namespace."""
    from statehold_zdb.server.commands import find  # noqa: PLC0415 - it has this module in its table

    if len(arguments) not in (2, 3):
        return b"-Invalid arguments\r\n"
    name = find(arguments[1])
    if name is None:
        return b"-Unknown command to watch\r\n"
    limit = _DEFAULT_WAIT
    if len(arguments) == 3:
        if not arguments[2].isdigit() or len(arguments[2]) > 16:
            return b"-Invalid timeout\r\n"
        limit = int(arguments[2])
        if not _SHORTEST <= limit <= _LONGEST:
            return b"-Invalid timeout\r\n"
    return _wait(client, name, limit / 1000)


async def _wait(client: Client, name: str, seconds: float) -> bytes:
    seen = await client.server.watchers.wait(client, name, seconds)
    return b"-Timeout\r\n" if seen is None else b"+%b\r\n" % seen.encode()


def info(client: Client, _arguments: Arguments) -> Answer:
    """INFO: answers what there is to know of the server, as text."""
    return replies.bulk(server_info(client.server).encode())


def stop(client: Client, _arguments: Arguments) -> Answer:
    """STOP: ends a server that was started to be ended so."""
    if not client.server.options.stoppable:
        return b"-Unauthorized\r\n"
    client.server.stop_soon()
    return b"+Stopping\r\n"
