"""Many claims over WebSocket with TLS, with frames that are lost, and a host that is killed now and then."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "state"))

from lossy import Host
from test_stress import stress
from ways import SYSTEM, Certificates, certificates

from statehold_aos.gateway import ClaimId, CloudHub, NewState, _cloud_connection
from statehold_aos.gateway._channel import Channel
from statehold_aos.gateway._cloud_server import CloudServer
from statehold_aos.gateway._exchange import Terms

__all__ = ["certificates"]


class Losses:
    """Loses some messages, doubles as many, and holds as many back, whatever they say."""

    def __init__(self, share: float) -> None:
        self.share, self.random = share, random.Random(8)

    def of(self, messages: Iterable[bytes], held: list[bytes]) -> list[bytes]:
        arriving: list[bytes] = []
        for message in messages:
            lot = self.random.random()
            if lot < self.share:
                continue
            if 2 * self.share <= lot < 3 * self.share:
                held.append(message)
                continue
            arriving += [message] * (2 if lot < 2 * self.share else 1)
        if held and self.random.random() < 0.5:
            arriving.append(held.pop(self.random.randrange(len(held))))
        return arriving


class Cloud:
    """The cloud as the stress knows it."""

    def __init__(self, found: Certificates, losses: Losses) -> None:
        self.had: dict[ClaimId, set[bytes]] = defaultdict(set)
        self.losses = losses
        self.hub = CloudHub(judge=self.judge)
        self.cloud = self.hub.cloud(SYSTEM)
        self.server = CloudServer(self.hub, context=found.context(), terms=Terms(wait=0.5, tries=10))

    @property
    def loss(self) -> float:
        return self.losses.share

    @loss.setter
    def loss(self, share: float) -> None:
        self.losses.share = share

    def judge(self, message: NewState) -> str:
        self.had[message.claim].add(message.state)
        return ""

    def push(self, claim: ClaimId, state: bytes) -> None:
        self.had[claim].add(state)
        self.hub.push(SYSTEM, claim, state)

    def remind(self) -> None:
        self.hub.remind(SYSTEM)

    def disconnect(self) -> int:
        return self.server.disconnect()

    def states(self) -> int:
        return sum(map(len, list(self.had.values())))

    def close(self) -> None:
        self.server.close()


def over_websocket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: Certificates, **size: Any) -> None:
    losses = Losses(0.05)

    class LossyChannel(Channel):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.held_in: list[bytes] = []
            self.held_out: list[bytes] = []

        def read(self) -> list[bytes]:
            return losses.of(super().read(), self.held_in)

        def send(self, messages: Iterable[bytes]) -> None:
            super().send(losses.of(messages, self.held_out))

    monkeypatch.setattr(_cloud_connection, "Channel", LossyChannel)

    def sides(_: Path) -> tuple[Cloud, Host]:
        cloud = Cloud(found, losses)
        host = Host(tmp_path / "aos.db", tmp_path / "folders", cloud.server.url)
        host.given[1] = str(Path(__file__).with_name("websocket_host.py"))
        host.given.append(str(found.authorities))
        return cloud, host

    stress(tmp_path, sides=sides, **size)


def test_cloud_disk_and_checksum_agree_in_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificates: Certificates
) -> None:
    over_websocket(
        monkeypatch, tmp_path, certificates, claims=15, changes=4, disconnects=5, kills=2, patience=60
    )


@pytest.mark.soak
def test_cloud_disk_and_checksum_of_1000_claims_agree_in_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificates: Certificates
) -> None:
    """With 200 disconnects and 50 kill -9 of the host."""
    size = {"claims": 1_000, "changes": 10, "disconnects": 200, "kills": 50, "patience": 600}
    over_websocket(monkeypatch, tmp_path, certificates, **size)
