"""Many claims over RabbitMQ, while connections break, messages are lost, and host and broker are killed."""

from __future__ import annotations

import random
import sys
import threading
import time
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "state"))

from amqp_sides import TERMS
from lossy import Host
from proxy import Proxy, proxy
from rabbit_server import RabbitServer
from test_stress import stress

from statehold_aos.gateway import ClaimId, CloudHub, NewState, ToUnit
from statehold_aos.gateway._amqp_terms import Fate
from statehold_aos.gateway.amqp import AmqpCloud


class Losing(AmqpCloud):
    """Loses messages of both directions, as many come twice, as many late."""

    loss = 0.05

    def __init__(self, *given: Any, **more: Any) -> None:
        self.dice, self.dice_lock = random.Random(8), threading.Lock()
        self.late: list[Any] = []
        super().__init__(*given, **more)

    def on_the_way(self, what: Any) -> list[Any]:
        with self.dice_lock:
            lot = self.dice.random()
            if self.late and self.dice.random() < 0.2:
                return [what, self.late.pop(self.dice.randrange(len(self.late)))]
            if lot < self.loss:
                return []
            if lot < 2 * self.loss:
                return [what, what]
            if lot < 3 * self.loss:
                self.late.append(what)
                return []
            return [what]

    def take(self, correlation: str, body: bytes) -> Fate:
        for what in self.on_the_way((super().take, correlation, body)):
            what[0](*what[1:])
        return Fate.TAKEN

    def _send(self, unit: str, message: ToUnit) -> None:
        for what in self.on_the_way((super()._send, unit, message)):
            what[0](*what[1:])


class LosingBroker:
    """The cloud as the stress knows it."""

    def __init__(self, between: Proxy, url: str) -> None:
        self.had: dict[ClaimId, set[bytes]] = defaultdict(set)
        self.between = between
        self.hub = CloudHub(judge=self.judge)
        self.server = Losing(self.hub, url, units=["u1"], terms=TERMS)
        self.cloud = self.hub.cloud("u1")
        self.reminded = 0.0
        assert self.server.wait(60)

    @property
    def loss(self) -> float:
        return self.server.loss

    @loss.setter
    def loss(self, loss: float) -> None:
        self.server.loss = loss

    def judge(self, message: NewState) -> str:
        self.had[message.claim].add(message.state)
        return ""

    def push(self, claim: ClaimId, state: bytes) -> None:
        self.had[claim].add(state)
        self.hub.push("u1", claim, state)

    def remind(self) -> None:
        if time.monotonic() > self.reminded + 1:
            self.hub.remind("u1")
            self.reminded = time.monotonic()

    def disconnect(self) -> bool:
        return self.between.cut() > 0

    def states(self) -> int:
        return sum(map(len, list(self.had.values())))

    def close(self) -> None:
        self.server.close()


def over_rabbit(tmp_path: Path, rabbit: RabbitServer, *, broker_kills: int = 0, **size: Any) -> None:
    name = uuid.uuid4().hex

    def kill() -> None:
        rabbit.kill()
        rabbit.start()

    with proxy(rabbit.port) as between:
        url = f"{rabbit.url(port=between.port)}?exchange={name}"

        def sides(_: Path) -> tuple[LosingBroker, Host]:
            host = Host(tmp_path / "aos.db", tmp_path / "folders", "")
            host.given[1] = str(Path(__file__).with_name("amqp_host.py"))
            host.given[-1] = f"{url}&queue={name}.u1"
            return LosingBroker(between, url), host

        stress(tmp_path, sides=sides, others=[kill] * broker_kills, **size)


def test_cloud_disk_and_checksum_agree_though_the_broker_is_killed(
    tmp_path: Path, rabbit_alone: RabbitServer
) -> None:
    over_rabbit(
        tmp_path, rabbit_alone, claims=20, changes=4, disconnects=5, kills=2, broker_kills=1, patience=60
    )


@pytest.mark.soak
def test_cloud_disk_and_checksum_of_1000_claims_agree_over_rabbitmq(
    tmp_path: Path, rabbit_alone: RabbitServer
) -> None:
    """With 200 disconnects, 50 kill -9 of the host, and 5 of the broker."""
    over_rabbit(
        tmp_path,
        rabbit_alone,
        claims=1_000,
        changes=10,
        disconnects=200,
        kills=50,
        broker_kills=5,
        patience=600,
    )
