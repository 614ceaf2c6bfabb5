from __future__ import annotations

import itertools
import logging
import ssl
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Final

import attrs

from statehold_aos.gateway._amqp_carrier import Carrier
from statehold_aos.gateway._amqp_errors import AmqpError
from statehold_aos.gateway._amqp_outgoing import Parcel
from statehold_aos.gateway._amqp_terms import AmqpTerms, Fate
from statehold_aos.gateway._amqp_way import EXCHANGE, Queue, Way, broker_of
from statehold_aos.gateway._cloud_hub import CloudHub
from statehold_aos.gateway._errors import GatewayError, MessageError
from statehold_aos.gateway._messages import StateAcceptance, ToUnit, UpdateState
from statehold_aos.gateway._options import default_logger
from statehold_aos.gateway._protocol2 import Protocol2
from statehold_aos.gateway._wire import LARGEST

_NAME: Final = "AMQP of the cloud"


class AmqpCloud:
    """The cloud's side through a broker of AMQP 0-9-1: to develop against, not to run a fleet.

    It makes the exchange that units send to, its own queue `<exchange>.cloud`, and a queue for each unit,
    `<exchange>.<system>`. All of these outlive the broker, so what is sent while one side is away waits. It
    connects again whenever the connection is lost.

    Args:
        hub: the cloud.
        url: `amqps://user:password@host:port/virtual-host?exchange=E`, with exchange `aos` by default;
            `amqp://` to this machine alone.
        units: whose queues are made, besides those that the hub knows.
        context: TLS; None: what the system trusts.
        workspace: that of messages which name none.
        largest: bytes of a message.
        terms: how messages are carried.
        logger: hears of connections that fail, and of messages that cannot be read.

    Raises:
        GatewayError: the URL cannot be used, or the library is not installed.

    """

    def __init__(
        self,
        hub: CloudHub,
        url: str,
        *,
        units: Iterable[str] = (),
        context: ssl.SSLContext | None = None,
        workspace: int = 1,
        largest: int = LARGEST,
        terms: AmqpTerms | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self._hub: Final = hub
        self._logger: Final = logger or default_logger()
        self._protocol: Final = Protocol2(workspace=workspace, largest=largest)
        self._numbers: Final = itertools.count()
        self._broker, given = broker_of(url, context or ssl.create_default_context())
        self._exchange: Final = given.get("exchange", EXCHANGE)
        self._lock: Final = threading.Lock()
        self._sends: Final[dict[str, Callable[[ToUnit], None]]] = {}
        self._attached: Final[set[str]] = set()
        for unit in (*hub.systems(), *units):
            self._send_of(unit)
        self._up: Final = threading.Event()
        self._carrier: Final = Carrier(
            name=_NAME, find=self._way, ends=self, terms=terms or AmqpTerms(), logger=self._logger
        )
        self._carrier.start()

    @property
    def trouble(self) -> AmqpError | None:
        """Why messages do not go at the moment; None where they do, or nothing was tried yet."""
        return self._carrier.trouble

    def wait(self, seconds: float) -> bool:
        """Wait until it is connected, and its queues are there; False if it is not in time."""
        return self._up.wait(seconds)

    def add(self, unit: str) -> None:
        """Make the queue of a unit, unless it is there, and send the unit what it may not have yet."""
        self._send_of(unit)
        self._carrier.declare(Queue(name=self._queue_of(unit)), lambda: self._attach(unit))

    def close(self) -> None:
        """End the connections in order; a second time does nothing."""
        self._carrier.close()
        self._detach()

    def _way(self) -> Way:
        own = Queue(name=f"{self._exchange}.cloud", exchange=self._exchange)
        with self._lock:
            queues = [Queue(name=self._queue_of(unit)) for unit in self._sends]
        return Way(
            sending=self._broker,
            exchange="",
            receiving=self._broker,
            queue=own.name,
            declared=(own, *queues),
        )

    def _queue_of(self, unit: str) -> str:
        return f"{self._exchange}.{unit}"

    # -- Units -------------------------------------------------------------------------------------------

    def _send_of(self, unit: str) -> Callable[[ToUnit], None]:
        with self._lock:
            return self._sends.setdefault(unit, lambda message: self._send(unit, message))

    def _attach(self, unit: str) -> None:
        with self._lock:
            if unit in self._attached:
                return
            self._attached.add(unit)
        self._hub.attach(unit, self._send_of(unit))

    def _detach(self) -> None:
        with self._lock:
            attached = list(self._attached)
            self._attached.clear()
        for unit in attached:
            self._hub.detach(unit, self._send_of(unit))

    def _send(self, unit: str, message: ToUnit) -> None:
        try:
            body, correlation = attrs.evolve(self._protocol, system=unit).encode(message)
        except MessageError as error:
            self._logger.warning("%s: a message is dropped: %s", _NAME, error)
            return
        key: Hashable = (unit, message.claim)
        if isinstance(message, StateAcceptance):
            key = next(self._numbers)
        queue = self._queue_of(unit)
        self._carrier.send(Parcel(key=key, body=body, correlation=correlation, routing_key=queue))

    # -- What the carrier tells --------------------------------------------------------------------------

    def up(self) -> None:
        """Send all units what may have been lost."""
        with self._lock:
            units = list(self._sends)
        for unit in units:
            self._attach(unit)
        self._up.set()

    def down(self) -> None:
        """Take note that nothing arrives any more."""
        self._up.clear()
        self._detach()

    def take(self, correlation: str, body: bytes) -> Fate:
        """Let the cloud have a message of a unit, and the unit its answers."""
        try:
            unit, message = self._protocol.decode_from(body, correlation)
        except MessageError as error:
            self._logger.warning("%s: a message is dropped: %s", _NAME, error)
            return Fate.NEVER
        if not unit or isinstance(message, StateAcceptance | UpdateState):
            kind = type(message).__name__
            self._logger.warning("%s: a message is dropped: %s of unit %r", _NAME, kind, unit)
            return Fate.NEVER
        self._attach(unit)
        try:
            answers = self._hub.received(unit, [message])
        except GatewayError as error:  # its book
            self._logger.error("%s: %s", _NAME, error)  # noqa: TRY400 - no defect of ours
            return Fate.LATER
        for answer in answers:
            self._send(unit, answer)
        return Fate.TAKEN
