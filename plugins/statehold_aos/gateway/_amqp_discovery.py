from __future__ import annotations

import json
import ssl
from typing import Final, Self
from urllib.parse import urlsplit

import attrs
import msgspec

from statehold_aos.gateway._amqp_errors import AmqpError, AmqpTrouble
from statehold_aos.gateway._amqp_way import EXCHANGE, Broker, Way, broker_of, check_plain, shown
from statehold_aos.gateway._options import Options
from statehold_aos.gateway._protocol2 import VERSION
from statehold_aos.gateway._tls import client_context

_SECONDS: Final = 15.0
_LARGEST: Final = 2**20


class _Exchange(msgspec.Struct):
    name: str = ""


class _Queue(msgspec.Struct):
    name: str


class _Sending(msgspec.Struct):
    host: str
    user: str
    password: str
    exchange: _Exchange
    mandatory: bool = False


class _Receiving(msgspec.Struct):
    host: str
    user: str
    password: str
    queue: _Queue
    consumer: str = ""
    exclusive: bool = False


class _Connection(msgspec.Struct, rename="camel"):
    send_params: _Sending
    receive_params: _Receiving


class _Answer(msgspec.Struct):
    connection: _Connection


@attrs.frozen(kw_only=True)
class Finder:
    """Says how a unit goes through a broker: as its URL does, or as a discovery service of AOS does.

    Attributes:
        url: `amqps://`, `amqp://`, or `https://`, `http://` of a discovery service.
        system: the unit.
        users: its claim, as the database writes it.
        user: who it is to the broker; empty: as the URL says.
        password: likewise.
        tls: certificates of both sides.

    """

    url: str = attrs.field(repr=False)
    system: str
    users: str = ""
    user: str = ""
    password: str = attrs.field(default="", repr=False)
    tls: ssl.SSLContext = attrs.field(repr=False)

    @classmethod
    def of(cls, url: str, options: Options) -> Self:
        """Return what finds the way of a unit.

        Raises:
            GatewayError: the URL, a certificate or a key cannot be used.

        """
        finder = cls(
            url=url,
            system=options.system,
            users=options.users,
            user=options.user,
            password="" if options.password is None else options.password.reveal(),
            tls=client_context(options.authorities, options.certificate, options.key),
        )
        if finder.is_asked:
            finder.check()
        else:
            finder()
        return finder

    @property
    def is_asked(self) -> bool:
        """Whether a discovery service is asked."""
        return urlsplit(self.url).scheme in ("http", "https")

    def check(self) -> None:
        """Raise AmqpError for a discovery service that cannot be asked."""
        parts = urlsplit(self.url)
        if not parts.hostname:
            raise _failed(f"{shown(parts)} names no discovery service")
        if parts.scheme == "http":
            check_plain(parts.hostname, shown(parts))

    def __call__(self) -> Way:
        """Return the way.

        Raises:
            AmqpError: there is none, or the discovery service does not say.

        """
        return self._asked() if self.is_asked else self._named()

    def _named(self) -> Way:
        broker, given = broker_of(self.url, self.tls, user=self.user, password=self.password)
        return Way(
            sending=broker,
            exchange=given.get("exchange", EXCHANGE),
            receiving=broker,
            queue=given.get("queue", f"{EXCHANGE}.{self.system}"),
        )

    def _asked(self) -> Way:
        connection = self._discover().connection
        sending, receiving = connection.send_params, connection.receive_params
        return Way(
            sending=self._broker(sending),
            exchange=sending.exchange.name,
            mandatory=sending.mandatory,
            receiving=self._broker(receiving),
            queue=receiving.queue.name,
            consumer=receiving.consumer,
            exclusive=receiving.exclusive,
        )

    def _broker(self, given: _Sending | _Receiving) -> Broker:
        """Return a broker of the discovery service; where that is reached in clear text, so is the broker."""
        scheme = "amqps" if urlsplit(self.url).scheme == "https" else "amqp"
        broker, _ = broker_of(f"{scheme}://{given.host}", self.tls)
        return attrs.evolve(broker, user=given.user, password=given.password)

    def _discover(self) -> _Answer:
        import httpx  # noqa: PLC0415  it takes long, and most units have no discovery service

        where = f"discovery service {shown(urlsplit(self.url))}"
        question = {
            "header": {"version": VERSION, "systemId": self.system, "messageType": "serviceDiscovery"},
            "data": {"users": json.loads(self.users or "[]")},
        }
        try:
            with (
                httpx.Client(verify=self.tls, trust_env=False, timeout=_SECONDS) as client,
                client.stream("POST", self.url, json=question) as answer,
            ):
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LARGEST:
                        raise _failed(f"{where} answers more than {_LARGEST:,} bytes")
                if answer.status_code != httpx.codes.OK:
                    raise _failed(f"{where} answers {answer.status_code}: {_begin(body)}")
            return msgspec.json.decode(body, type=_Answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failed(f"{where}: {error}") from error
        except msgspec.DecodeError as error:
            raise _failed(f"{where} does not answer with a connection: {error}") from error


def _begin(body: bytearray) -> str:
    return repr(body[:200].decode(errors="replace"))


def _failed(message: str) -> AmqpError:
    return AmqpError(message, trouble=AmqpTrouble.DISCOVERY)
