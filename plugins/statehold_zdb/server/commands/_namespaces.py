from __future__ import annotations

import os
from typing import Any

from statehold_zdb.engine import DEFAULT, Durability, Mode, Namespace, ZdbError, ZdbWormError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Answer, Arguments, Client
from statehold_zdb.server._info import namespace_info
from statehold_zdb.server._passwords import grants, is_word

_MAX_NAME = 128
_MAX_VALUE = 63
_MAX_SELECT_PASSWORD = 255
_TOO_LONG = b"-Namespace too long\r\n"
_NOT_FOUND = b"-Namespace not found\r\n"
_SWITCHES = ("public", "worm", "lock", "freeze")


def dbsize(client: Client, _arguments: Arguments) -> Answer:
    """DBSIZE: answers how many keys the namespace has."""
    return replies.number(len(client.namespace))


def nsnew(client: Client, arguments: Arguments) -> Answer:
    """NSNEW name [property value ...]: makes a namespace that is what it says from its first moment on."""
    count = len(arguments)
    if wrong := _checked(client, arguments, count if count % 2 == 0 else 0):
        return wrong
    name = os.fsdecode(arguments[1])
    if client.engine.get(name) is not None and name != DEFAULT:
        return b"-This namespace is not available\r\n"
    said: dict[str, Any] = {}
    for what, value in zip(arguments[2::2], arguments[3::2], strict=True):
        if len(value) > _MAX_VALUE:
            return b"-Invalid value\r\n"
        change = _change(client, None, what.decode("latin-1"), bytes(value))
        if isinstance(change, bytes):
            return change
        said |= change
    return client.server.in_thread(lambda: _create(client, name, said))


def _create(client: Client, name: str, said: dict[str, Any]) -> bytes:
    try:
        client.engine.create(name, **said)
    except ZdbError as error:
        client.server.logger.warning("cannot make a namespace: %s", error)
        return b"-This name is not allowed\r\n"
    return replies.OK


def nsdel(client: Client, arguments: Arguments) -> Answer:
    """NSDEL name: deletes a namespace; those who use it are told at their next command."""
    if wrong := _checked(client, arguments, 2):
        return wrong
    name = os.fsdecode(arguments[1])
    if name == DEFAULT:
        return b"-Cannot remove default namespace\r\n"
    found = client.engine.get(name)
    if found is None:
        return b"-This namespace doesn't exists\r\n"
    if found is client.namespace:
        return b"-Cannot remove namespace you're currently using.\r\n"
    return client.server.in_thread(lambda: _ok(lambda: client.engine.delete(name)))


def nslist(client: Client, _arguments: Arguments) -> Answer:
    """NSLIST: answers the names of all namespaces, or of the one that is used where others are hidden."""
    hidden = client.server.options.hide and not client.admin
    names = [client.namespace.name] if hidden else client.engine.names()
    return replies.array(replies.bulk(os.fsencode(name)) for name in names)


def nsinfo(client: Client, arguments: Arguments) -> Answer:
    """NSINFO name: answers what there is to know of a namespace, as text."""
    if len(arguments) != 2:
        return replies.UNEXPECTED
    if not arguments[1]:
        return replies.INVALID
    if len(arguments[1]) > _MAX_NAME:
        return _TOO_LONG
    found = client.engine.get(os.fsdecode(arguments[1]))
    if found is None:
        return _NOT_FOUND
    return replies.bulk(
        namespace_info(client.engine, found, admin=client.admin).encode("utf-8", "surrogateescape")
    )


def nsset(client: Client, arguments: Arguments) -> Answer:
    """NSSET name property value: changes what a namespace is told to be."""
    if wrong := _checked(client, arguments, 4):
        return wrong
    name, what, value = os.fsdecode(arguments[1]), arguments[2].decode("latin-1"), bytes(arguments[3])
    if len(what) > _MAX_NAME or len(value) > _MAX_NAME:
        return b"-Argument too long\r\n"
    if len(value) > _MAX_VALUE:
        return b"-Invalid value\r\n"
    if name == DEFAULT and what not in ("mode", "lock", "freeze", "durability"):
        return b"-Cannot update default namespace\r\n"
    found = client.engine.get(name)
    if found is None:
        return _NOT_FOUND
    change = _change(client, found, what, value)
    if isinstance(change, bytes):
        return change
    return client.server.in_thread(lambda: _ok(lambda: client.engine.configure(name, **change)))


def _change(client: Client, namespace: Namespace | None, what: str, value: bytes) -> bytes | dict[str, Any]:
    text = value.decode("latin-1")
    if what == "maxsize":
        return (
            {"maxsize": int(value)} if value.isdigit() else b"-Invalid property value (expected: bytes)\r\n"
        )
    if what == "password":
        return {"password": b"" if value == b"*" else value}
    if what in _SWITCHES:
        return {what: text[:1] == "1"}
    if what == "durability":
        try:
            return {"durability": str(Durability.parse(text))}
        except ZdbError:
            return b"-Invalid property value (expected: every, group, relaxed, relaxed:SECONDS)\r\n"
    if what != "mode":
        return b"-Invalid property\r\n"
    if client.engine.options.mode is not None:
        return b"-This server instance is configured to use a single runtime mode\r\n"
    if text not in (Mode.USER, Mode.SEQUENTIAL):
        return b"-Invalid property value (expected: user, seq)\r\n"
    if namespace is not None and (len(namespace) or namespace.figures().next_id):
        return b"-Cannot change mode of used namespace\r\n"
    return {"mode": Mode(text)}


def nsjump(client: Client, arguments: Arguments) -> Answer:
    """NSJUMP: closes the segment that is written to, and begins another."""
    if wrong := _checked(client, arguments, 1):
        return wrong
    namespace = client.namespace
    return client.server.in_thread(lambda: _ok(namespace.jump, namespace))


def select(client: Client, arguments: Arguments) -> Answer:
    """SELECT name [password], SELECT name SECURE hash: uses another namespace."""
    if len(arguments) < 2 or not arguments[1]:
        return replies.INVALID
    if len(arguments) > 4:
        return b"-Too many arguments\r\n"
    if len(arguments[1]) > _MAX_NAME:
        return _TOO_LONG
    found = client.engine.get(os.fsdecode(arguments[1]))
    if found is None:
        return _NOT_FOUND
    writable = True
    if found.settings.password:
        if len(arguments) == 2:
            if not found.settings.public:
                return b"-Namespace protected and private\r\n"
            writable = False
        elif len(arguments) == 3:
            if len(arguments[2]) > _MAX_SELECT_PASSWORD:
                return b"-Password too long\r\n"
            if not client.engine.is_password(found, arguments[2]):
                return b"-Access denied\r\n"
        else:
            if not is_word(arguments[2], b"SECURE"):
                return b"-Only SECURE extra method supported\r\n"
            password = client.engine.password(found)
            if password is None:
                return b"-Access denied\r\n"
            if refused := grants(client, arguments[3], password):
                return refused
    client.namespace, client.writable = found, writable
    return replies.OK


def reload(client: Client, arguments: Arguments) -> Answer:
    """RELOAD name: takes the files as they are now."""
    if wrong := _checked(client, arguments, 2):
        return wrong
    name = os.fsdecode(arguments[1])
    if client.engine.get(name) is None:
        return _NOT_FOUND
    return client.server.in_thread(lambda: _ok(lambda: client.engine.reload(name)))


def flush(client: Client, arguments: Arguments) -> Answer:
    """FLUSH: removes all keys; only of a namespace that has a password and is not public."""
    settings, namespace = client.namespace.settings, client.namespace
    if len(arguments) != 1:
        return replies.UNEXPECTED
    if settings.public or not settings.password:
        return b"-Flushing public namespace denied\r\n"
    if not client.writable:
        return replies.READ_ONLY
    return client.server.in_thread(lambda: _ok(namespace.clear, namespace))


def sync(client: Client, arguments: Arguments) -> Answer:
    """SYNC: answers when all that was written to the namespace survives a loss of power."""
    if len(arguments) != 1:
        return replies.UNEXPECTED
    namespace = client.namespace
    return client.server.in_thread(lambda: _ok(namespace.sync, namespace))


def _ok(work, namespace: Namespace | None = None) -> bytes:  # type: ignore[no-untyped-def]
    try:
        work()
    except ZdbWormError:
        return b"-Namespace is protected by worm mode\r\n"
    except ZdbError as error:
        return replies.refused(namespace, error) if namespace is not None else replies.error(error.message)
    return replies.OK


def _checked(client: Client, arguments: Arguments, count: int) -> bytes | None:
    if not client.admin:
        return replies.DENIED
    if len(arguments) != count:
        return replies.UNEXPECTED
    if not all(arguments):
        return replies.INVALID
    return _TOO_LONG if count > 1 and len(arguments[1]) > _MAX_NAME else None
