from __future__ import annotations

from statehold_zdb.engine import MAX_KEY, Mode, ZdbError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Answer, Arguments, Client

_CHANGED = b"-Something else is there\r\n"


def swap(client: Client, arguments: Arguments) -> Answer:
    """SWAP key before after: puts one payload in the place of another; an empty one is nothing."""
    if len(arguments) != 4:
        return replies.UNEXPECTED
    if not 0 < len(arguments[1]) <= MAX_KEY:
        return replies.INVALID_KEY
    if not client.writable:
        return replies.READ_ONLY
    if client.namespace.settings.mode is not Mode.USER:
        return b"-Not in a sequential namespace\r\n"
    return _swapped(client, arguments[1], arguments[2], arguments[3])


async def _swapped(client: Client, key: bytes, before: bytes, after: bytes) -> bytes:
    namespace, server = client.namespace, client.server

    def work() -> bytes:
        try:
            return replies.OK if namespace.swap(key, before or None, after or None) else _CHANGED
        except ZdbError as error:
            return replies.refused(namespace, error)

    answer = await server.in_thread(work)
    if answer == replies.OK:
        request = [b"SET", key, after] if after else [b"DEL", key]
        server.saw(client, request[0].decode(), request, answer)
    return answer
