"""Both sides of AMQP for tests: a unit that notes what it hears, and a cloud without any code of ours."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from rabbit_server import RabbitServer, wait_for

from statehold_aos.gateway import (
    ClaimId,
    NewState,
    Options,
    ToUnit,
    checksum_of,
)
from statehold_aos.gateway.amqp import AmqpGateway, AmqpTerms

ANN = ClaimId(1, "nav", '["ann"]')
#: As patient as tests are, and quick to try again.
TERMS = AmqpTerms(heartbeat=60, patience=60.0, parting=20.0, first=0.05, longest=0.5)


class Recorder:
    """A unit that writes down what it hears.

    Attributes:
        room: whether it takes messages.

    """

    def __init__(self) -> None:
        self.links: list[str] = []
        self.messages: list[ToUnit] = []
        self.refused: list[ToUnit] = []
        self.room = True

    def connected(self) -> None:
        self.links.append("up")

    def disconnected(self) -> None:
        self.links.append("down")

    def received(self, message: ToUnit) -> bool:
        (self.messages if self.room else self.refused).append(message)
        return self.room

    def wait(self, count: int) -> list[ToUnit]:
        """Wait for so many messages."""
        return wait_for(lambda: self.messages if len(self.messages) >= count else None, "no message")

    def wait_up(self, times: int = 1) -> None:
        wait_for(lambda: self.links.count("up") >= times and self.links[-1] == "up", "not connected")

    def wait_down(self, times: int = 1) -> None:
        wait_for(lambda: self.links.count("down") >= times, "still connected")


class Logged(logging.Handler):
    """What a gateway says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.logger = logging.Logger("test", logging.INFO)  # noqa: LOG001 - of this test alone
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def says(self, *parts: str) -> bool:
        return any(all(part in line for part in parts) for line in list(self.lines))


class PlainCloud:
    """A cloud that knows AMQP and JSON alone: an exchange, what units send to it, and a queue of one unit."""

    def __init__(self, rabbit: RabbitServer, name: str = "") -> None:
        import pika

        self.rabbit = rabbit
        self.name = name or uuid.uuid4().hex
        self.pika = pika
        self.connection = pika.BlockingConnection(pika.URLParameters(f"{rabbit.url()}?heartbeat=0"))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.channel.exchange_declare(self.exchange, "fanout", durable=True)
        self.channel.queue_declare(self.inbox, durable=True)
        self.channel.queue_bind(self.inbox, self.exchange)
        self.channel.queue_declare(self.queue, durable=True)

    @property
    def exchange(self) -> str:
        return f"{self.name}.exchange"

    @property
    def inbox(self) -> str:
        return f"{self.name}.inbox"

    @property
    def queue(self) -> str:
        return f"{self.name}.unit"

    def url(self, user: str = "unit", password: str | None = None, port: int | None = None) -> str:
        return f"{self.rabbit.url(user, password, port)}?exchange={self.exchange}&queue={self.queue}"

    def next(self) -> tuple[Any, dict[str, Any]]:
        """Return what stands beside the next message of a unit, and what it says."""
        found: list[Any] = []

        def get() -> bool:
            method, beside, body = self.channel.basic_get(self.inbox, auto_ack=True)
            if method is not None:
                found[:] = [beside, json.loads(body)]
            return method is not None

        wait_for(get, "no message of a unit")
        return found[0], found[1]

    def rest(self) -> list[dict[str, Any]]:
        """Return what else there is of units."""
        found = []
        while (got := self.channel.basic_get(self.inbox, auto_ack=True))[0] is not None:
            found.append(json.loads(got[2]))
        return found

    def send(self, kind: str, data: dict[str, Any], *, correlation: str | None = None, **header: Any) -> None:
        head = {"version": 2, "systemId": "u1", "messageType": kind, **header}
        beside = self.pika.BasicProperties(correlation_id=correlation, delivery_mode=2)
        self.channel.basic_publish("", self.queue, json.dumps({"header": head, "data": data}), beside)

    def count(self) -> int:
        """Return how many messages wait for the unit."""
        return self.channel.queue_declare(self.queue, passive=True).method.message_count

    def close(self) -> None:
        with contextlib.suppress(self.pika.exceptions.AMQPError):
            self.channel.queue_delete(self.queue)
            self.channel.queue_delete(self.inbox)
            self.channel.exchange_delete(self.exchange)
            self.connection.close()


@contextlib.contextmanager
def plain_cloud(rabbit: RabbitServer, name: str = "") -> Iterator[PlainCloud]:
    cloud = PlainCloud(rabbit, name)
    try:
        yield cloud
    finally:
        cloud.close()


@contextlib.contextmanager
def gateway(url: str, terms: AmqpTerms = TERMS, **options: Any) -> Iterator[tuple[AmqpGateway, Recorder]]:
    """Open a gateway that is connected, or is trying."""
    asked = {"system": "u1", "logger": Logged().logger, **options}
    one, unit = AmqpGateway(url, Options(**asked), terms), Recorder()
    one.connect(unit)
    try:
        yield one, unit
    finally:
        one.close()


def new(state: bytes, *, correlation: str = "c", sequence: int = 1, claim: ClaimId = ANN) -> NewState:
    return NewState(
        claim=claim,
        correlation=correlation,
        checksum=checksum_of(state),
        state=state,
        sequence=sequence,
    )
