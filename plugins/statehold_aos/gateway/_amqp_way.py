from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import attrs

from statehold_aos.gateway._address import is_this_machine
from statehold_aos.gateway._amqp_errors import AmqpError, AmqpTrouble

#: What units send to, where nothing else is said, and the beginning of the names of queues.
EXCHANGE: Final = "aos"
_PORTS: Final = {"amqp": 5672, "amqps": 5671}


@attrs.frozen(kw_only=True)
class Broker:
    """A server of AMQP 0-9-1, and who one is there.

    Attributes:
        tls: None: the connection is plain.

    """

    host: str
    port: int
    user: str
    password: str = attrs.field(repr=False)
    virtual_host: str = "/"
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port} as {self.user!r}"


@attrs.frozen(kw_only=True)
class Queue:
    """A queue that is to be there, and what it is bound to; all of it outlives the broker."""

    name: str
    exchange: str = ""


@attrs.frozen(kw_only=True)
class Way:
    """How messages go through a broker.

    Attributes:
        sending: where they go to,
        exchange: by this exchange; the empty one takes them to the queue that the routing key names.
        mandatory: whether the broker tells of messages that no queue takes.
        receiving: where others come from,
        queue: out of this queue.
        consumer: the consumer's name; empty: the broker finds one.
        exclusive: whether nobody else may read the queue.
        declared: what is made first, unless it is there.

    """

    sending: Broker
    exchange: str
    mandatory: bool = True
    receiving: Broker
    queue: str
    consumer: str = ""
    exclusive: bool = False
    declared: tuple[Queue, ...] = ()


def broker_of(
    url: str, tls: ssl.SSLContext, *, user: str = "", password: str = ""
) -> tuple[Broker, Mapping[str, str]]:
    """Return the broker that a URL names, and what follows its `?`.

    Raises:
        AmqpError: it is none of a broker, or would send a password in clear text over a network.

    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(f"the URL of the broker cannot be read: {error}", "") from error
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not host:
        raise _wrong(f"{shown(parts)} names no broker", "Expected amqps://user@host:port/virtual-host")
    is_plain = parts.scheme == "amqp"
    if is_plain:
        check_plain(host, shown(parts))
    broker = Broker(
        host=host,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username or "") or user or "guest",
        password=unquote(parts.password or "") or password or "guest",
        virtual_host=unquote(parts.path.removeprefix("/")) or "/",
        tls=None if is_plain else tls,
    )
    return broker, {name: values[-1] for name, values in parse_qs(parts.query).items()}


def check_plain(host: str, shown: str) -> None:
    """Raise AmqpError for a plain connection that would leave this machine."""
    if not is_this_machine(host):
        raise _wrong(f"{shown} would go over the network in clear text", "Use amqps:// or https://")


def shown(parts: SplitResult) -> str:
    """Return a URL without what is secret in it."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _wrong(message: str, hint: str) -> AmqpError:
    return AmqpError(message, trouble=AmqpTrouble.UNREACHABLE, hint=hint)
