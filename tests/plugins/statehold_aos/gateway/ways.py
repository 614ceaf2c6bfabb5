"""The ways to the cloud that all have to do the same: each with a cloud of its own at the other end."""

from __future__ import annotations

import contextlib
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent))

from amqp_way import amqp

from statehold_aos.gateway import ClaimId, CloudHub, Gateway, InProcess, Options
from statehold_aos.gateway._cloud_server import CloudServer
from statehold_aos.gateway._exchange import Terms
from statehold_aos.gateway._websocket import WebSocketGateway

SYSTEM = "unit-1"


@attrs.define
class Way:
    """One way to the cloud.

    Attributes:
        hub: the cloud at its end.
        gateway: makes the unit's side, which is yet to be connected.
        push: gives a claim a state, from the cloud's side.
        cut: breaks the connection, as a network does; None: there is nothing to break.
        stop: ends the cloud's side,
        start: and begins it again, in the same place; None: it cannot end alone.

    """

    hub: CloudHub
    gateway: Callable[..., Gateway]
    push: Callable[[ClaimId, bytes], None]
    cut: Callable[[], Any] | None = None
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None


@contextlib.contextmanager
def in_process(_: pytest.FixtureRequest) -> Iterator[Way]:
    hub = CloudHub()
    gateways: list[InProcess] = []

    def gateway(**_: Any) -> InProcess:
        gateways.append(InProcess(hub.cloud(SYSTEM)))
        return gateways[-1]

    def push(claim: ClaimId, state: bytes) -> None:
        gateways[-1].push(claim, state)

    yield Way(hub, gateway, push)


class Servers:
    """The cloud's side over WebSocket, which ends and begins again at the same port."""

    def __init__(self, hub: CloudHub, context: ssl.SSLContext | None = None, **options: Any) -> None:
        self.hub, self.context, self.options = hub, context, {"remind": 0.2, **options}
        self.server = CloudServer(hub, host="127.0.0.1", context=context, **self.options)
        self.port, self.url = self.server.port, self.server.url

    def start(self) -> None:
        self.server = CloudServer(
            self.hub, host="127.0.0.1", port=self.port, context=self.context, **self.options
        )

    def stop(self) -> None:
        self.server.close()

    def cut(self) -> int:
        return self.server.disconnect()


@attrs.define
class Certificates:
    """Those of a cloud and of a unit, from one authority, and another authority that nobody trusts."""

    folder: Path
    authority: trustme.CA = attrs.field(factory=trustme.CA)

    @property
    def authorities(self) -> Path:
        path = self.folder / "authority.pem"
        self.authority.cert_pem.write_to_path(path)
        return path

    def context(self, issued: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (issued or self.authority.issue_cert("127.0.0.1")).configure_cert(context)
        return context

    def unit(self, name: str = "unit-1") -> tuple[Path, str]:
        """Return the file of a unit's certificate, and its key."""
        issued = self.authority.issue_cert(name)
        path = self.folder / f"{name}.pem"
        path.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
        return path, issued.private_key_pem.bytes().decode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def quick(**more: Any) -> Options:
    """Return options that try again at once."""
    return Options(**{"system": SYSTEM, "first": 0.01, "longest": 0.1, **more})


@contextlib.contextmanager
def web_socket(request: pytest.FixtureRequest) -> Iterator[Way]:
    found: Certificates = request.getfixturevalue("certificates")
    servers = Servers(CloudHub(), found.context())
    made: list[WebSocketGateway] = []

    def gateway(**more: Any) -> WebSocketGateway:
        options = quick(authorities=found.authorities, **more)
        made.append(WebSocketGateway(servers.url, options, Terms(wait=30)))
        return made[-1]

    yield Way(
        servers.hub,
        gateway,
        lambda claim, state: servers.hub.push(SYSTEM, claim, state),
        cut=servers.cut,
        stop=servers.stop,
        start=servers.start,
    )
    for one in made:
        one.close()
    servers.stop()


#: A way of a broker needs a fixture that starts it: `request.getfixturevalue`.
WAYS: dict[str, Callable[[pytest.FixtureRequest], contextlib.AbstractContextManager[Way]]] = {
    "in-process": in_process,
    "websocket": web_socket,
    "amqp": amqp,
}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with WAYS[request.param](request) as found:
        yield found
