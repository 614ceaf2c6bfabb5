from __future__ import annotations

import itertools
from collections.abc import Hashable
from typing import Final

from statehold_aos.gateway._amqp_carrier import Carrier
from statehold_aos.gateway._amqp_discovery import Finder
from statehold_aos.gateway._amqp_errors import AmqpError
from statehold_aos.gateway._amqp_outgoing import Parcel
from statehold_aos.gateway._amqp_terms import AmqpTerms, Fate
from statehold_aos.gateway._errors import MessageError
from statehold_aos.gateway._gateway import Unit
from statehold_aos.gateway._messages import StateAcceptance, StateStatus, ToCloud, UpdateState
from statehold_aos.gateway._options import Options
from statehold_aos.gateway._protocol2 import Protocol2


class AmqpGateway:
    """A gateway through a broker of AMQP 0-9-1, such as RabbitMQ, with protocol 2 of AOS.

    What is sent is confirmed by the broker, and what is received is acknowledged once the unit has it: a
    message that the unit has not taken comes again. While the broker takes nothing, because its memory or
    disk is full, messages wait, of each kind and claim the newest.

    Args:
        url: `amqps://user:password@host:port/virtual-host?exchange=E&queue=Q`, with exchange `aos` and
            queue `aos.<system>` by default; or `https://`: a discovery service of AOS, which is asked at each
            attempt to connect. Plain ones (`amqp://`, `http://`) go to this machine alone.
        options: who the unit is, and its certificates; its user and password are rather those of *url*.
        terms: how messages are carried; by default as *options* says.

    Raises:
        GatewayError: the URL, a certificate or a key cannot be used, or the library is not installed.

    """

    def __init__(self, url: str, options: Options, terms: AmqpTerms | None = None) -> None:
        self._logger: Final = options.logger
        self._protocol: Final = Protocol2(
            system=options.system, workspace=options.workspace, users=options.users, largest=options.largest
        )
        self._numbers: Final = itertools.count()
        self._unit: Unit | None = None
        self._name: Final = f"AMQP of {options.system}"
        self._carrier: Final = Carrier(
            name=self._name,
            find=Finder.of(url, options),
            ends=self,
            terms=terms or AmqpTerms.of(options),
            logger=self._logger,
        )

    @property
    def trouble(self) -> AmqpError | None:
        """Why messages do not go at the moment; None where they do, or nothing was tried yet."""
        return self._carrier.trouble

    def connect(self, unit: Unit) -> None:
        """Begin to connect, and to connect again whenever the connection is lost; return at once."""
        self._unit = unit
        self._carrier.start()

    def send(self, message: ToCloud, *, more: bool = False) -> None:  # noqa: ARG002 - its thread takes all there is
        """Send *message* if there is a connection, else drop it; return without waiting for the broker.

        Raises:
            MessageError: it is too large.

        """
        body, correlation = self._protocol.encode(message)
        self._carrier.send(Parcel(key=self._key(message), body=body, correlation=correlation))

    def close(self) -> None:
        """End the connection in order; afterwards the unit hears nothing. A second time does nothing."""
        self._carrier.close()

    def _key(self, message: ToCloud) -> Hashable:
        if isinstance(message, StateStatus):
            # Of one claim, the newest counts; of all, each.
            return ("status", message.states[0][0] if len(message.states) == 1 else next(self._numbers))
        return (type(message), message.claim)

    # -- What the carrier tells --------------------------------------------------------------------------

    def up(self) -> None:
        """Let the unit hear of the connection."""
        if self._unit is not None:
            self._unit.connected()

    def down(self) -> None:
        """Let the unit hear of its end."""
        if self._unit is not None:
            self._unit.disconnected()

    def take(self, correlation: str, body: bytes) -> Fate:
        """Let the unit have a message."""
        try:
            message = self._protocol.decode(body, correlation)
        except MessageError as error:
            self._logger.warning("%s: a message is dropped: %s", self._name, error)
            return Fate.NEVER
        if not isinstance(message, StateAcceptance | UpdateState):
            kind = type(message).__name__
            self._logger.warning("%s: a message is dropped: %s is none for a unit", self._name, kind)
            return Fate.NEVER
        is_taken = self._unit is not None and self._unit.received(message)
        return Fate.TAKEN if is_taken else Fate.LATER
