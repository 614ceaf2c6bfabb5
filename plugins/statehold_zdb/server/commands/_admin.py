from __future__ import annotations

import os

from statehold_zdb.engine import ZdbError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Answer, Arguments, Client
from statehold_zdb.server._passwords import is_word
from statehold_zdb.server.commands._numbers import number_of


def mirror(client: Client, _arguments: Arguments) -> Answer:
    """MIRROR: answers as the original does; from then on all that changes is sent to this client."""
    if not client.admin:
        return replies.DENIED
    client.server.mirrors.add(client)
    return b"+Starting mirroring\r\n"


def master(client: Client, _arguments: Arguments) -> Answer:
    """MASTER: the client is one that mirrors another server; what it writes is not sent on."""
    if not client.admin:
        return replies.DENIED
    client.server.mirrors.discard(client)
    client.is_master = True
    return b"+Hello, master\r\n"


def hooks(client: Client, _arguments: Arguments) -> Answer:
    """HOOKS: answers the calls of the executable of the last 300 seconds."""
    if not client.admin:
        return replies.DENIED
    calls = client.server.executable.calls() if client.server.executable is not None else []
    return replies.array(
        replies.array(
            [
                replies.bulk(call.event.encode()),
                replies.array(
                    replies.bulk(argument.encode("utf-8", "surrogateescape")) for argument in call.arguments
                ),
                replies.number(call.pid),
                replies.number(int(call.created)),
                replies.number(int(call.finished)),
                replies.number(call.status),
            ]
        )
        for call in calls
    )


def index(client: Client, arguments: Arguments) -> Answer:
    """INDEX DIRTY [RESET]: answers the closed segments that have changed since; RESET forgets which."""
    if not client.admin:
        return replies.DENIED
    if len(arguments) not in (2, 3) or not is_word(arguments[1], b"DIRTY"):
        return b"-Unknown INDEX subcommand\r\n"
    if len(arguments) == 2:
        return replies.array(map(replies.number, client.namespace.dirty()))
    if not is_word(arguments[2], b"RESET"):
        return b"-Unknown INDEX DIRTY subcommand\r\n"
    client.namespace.dirty(reset=True)
    return replies.OK


def data(client: Client, arguments: Arguments) -> Answer:
    """Answer to DATA RAW segment offset with a record as it stands there."""
    if not client.admin:
        return replies.DENIED
    if len(arguments) < 2 or not is_word(arguments[1], b"RAW"):
        return b"-Unknown DATA subcommand\r\n"
    numbers = [number for word in arguments[2:] if (number := number_of(word)) is not None]
    if len(arguments) != 4 or len(numbers) != 2:
        return b"-Invalid Request\r\n"
    segment, offset = numbers
    return client.server.in_thread(lambda: _raw(client, segment, offset))


def _raw(client: Client, segment: int, offset: int) -> bytes:
    try:
        found = client.namespace.raw(segment, offset)
    except ZdbError:
        return b"-Unexpected Internal Error\r\n"
    if found is None:
        return b"-EOF\r\n"
    record, payload = found
    return replies.array(
        [
            replies.bulk(record.key),
            replies.number(record.before),
            replies.bulk(b"0x%08x" % record.crc),
            replies.number(record.flags),
            replies.number(record.stamp),
            replies.bulk(payload),
        ]
    )


def compact(client: Client, arguments: Arguments) -> Answer:
    """COMPACT [name]: gives back what a namespace does not need; answers how many bytes."""
    if not client.admin:
        return replies.DENIED
    if len(arguments) > 2:
        return replies.UNEXPECTED
    namespace = client.namespace
    if len(arguments) == 2:
        named = client.engine.get(os.fsdecode(arguments[1]))
        if named is None:
            return b"-Namespace not found\r\n"
        namespace = named

    def work() -> bytes:
        try:
            return replies.number(namespace.compact())
        except ZdbError as error:
            return replies.refused(namespace, error)

    return client.server.in_thread(work)
