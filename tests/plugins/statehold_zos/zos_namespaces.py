"""Nodes with namespaces for tests: pools are folders, servers are real, and end with their test."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
from zos_pools import MIB, Node, folders_node

from statehold_zdb.client import Client, Place, ReplyError
from statehold_zos.ledger import ClaimKind
from statehold_zos.model import Config, ZdbNamespace
from statehold_zos.namespaces import Namespaces
from statehold_zos.namespaces._admin import Admin
from statehold_zos.namespaces._processes import end, serving
from statehold_zos.namespaces._sockets import sockets_of

PASSWORD = "correct horse battery"


@attrs.define
class Clock:
    """The time, as a test says it is."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@attrs.define
class Served:
    """A node, its namespaces, and what may be looked at from outside.

    Attributes:
        node: its ledger and pools.
        namespaces: what is tested.
        config: of the node.
        clock: the time.

    """

    node: Node
    config: Config
    clock: Clock = attrs.field(factory=Clock)
    namespaces: Namespaces = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.again()

    def again(self) -> Namespaces:
        """Open the namespaces anew, as another process does."""
        self.namespaces = Namespaces(
            self.config, self.node.ledger, self.node.pools, clock=self.clock, limit=20
        )
        return self.namespaces

    @property
    def folder(self) -> Path:
        """Where the node keeps what is about namespaces."""
        return self.config.folder / "zdb"

    @property
    def sockets(self) -> Path:
        """Where servers listen: in that folder, unless its path is too long."""
        return sockets_of(self.folder)

    def admin(self, server: str) -> Admin:
        """Connect to a server as its administrator."""
        return self.namespaces._servers.admin(server)

    def disagreements(self) -> list[str]:
        """Return in which ways claims, processes, namespaces and folders do not agree."""
        wrong = list(self.node.ledger.check())
        claims = self.node.ledger.claims
        servers = {claim.id: claim for claim in claims.all(ClaimKind.SERVER)}
        if sorted(self.namespaces.processes()) != sorted(servers):
            wrong.append(f"{sorted(self.namespaces.processes())} run, {sorted(servers)} are reserved")
        for pool, (path, _, _) in self.node.land.pools.items():
            folders = sorted(each.name for each in (path / "spaces").glob("server-*"))
            expected = sorted(claim.id for claim in servers.values() if claim.pool == pool)
            if folders != expected:
                wrong.append(f"{folders} are folders of {pool}, {expected} are reserved")
        for server in servers:
            theirs = {claim.id: claim for claim in claims.all(server=server)}
            with self.admin(server) as admin:
                names = admin.names()
                found = admin.found(names)
            if sorted(names) != sorted(theirs):
                wrong.append(f"{server} has {sorted(names)}, {sorted(theirs)} are reserved")
            wrong += [
                f"{name} is {said}"
                for name, said in found.items()
                if name in theirs
                and (said.maxsize, said.password, said.public) != (theirs[name].size, True, False)
            ]
        return wrong


@contextlib.contextmanager
def served(
    folder: Path,
    *,
    size: int = 64 * MIB,
    pools: tuple[str, ...] = ("pool",),
    grace: float = 0.0,
    zdb: Path | None = None,
) -> Iterator[Served]:
    """Yield a node whose pools are folders; its servers end with it."""
    node = folders_node(folder, size=size, pools=pools)
    with lending(node, grace=grace, zdb=zdb) as found:
        yield found


@contextlib.contextmanager
def lending(node: Node, *, grace: float = 0.0, zdb: Path | None = None) -> Iterator[Served]:
    """Yield a node with namespaces; its servers end with it."""
    found = Served(node, Config(folder=node.folder, grace=grace, zdb=zdb))
    try:
        yield found
    finally:
        end_all(found.folder)
        node.ledger.close()


def end_all(folder: Path) -> None:
    """End all servers of a node, by the folder that it keeps for namespaces."""
    sockets = sockets_of(folder)
    for name in serving(sockets):
        end(sockets / name, patience=30)
    assert not serving(sockets)
    if sockets != folder:
        shutil.rmtree(sockets, ignore_errors=True)


def client(namespace: ZdbNamespace, password: str = PASSWORD) -> Client:
    """Use a namespace as its users do, over its port."""
    return Client(Place(host=namespace.host, port=namespace.port, namespace=namespace.id), password=password)


def refused(namespace: ZdbNamespace, password: str = "") -> str:
    """Return why somebody is not let into a namespace, "" where they are."""
    try:
        client(namespace, password).close()
    except ReplyError as error:
        return error.message
    return ""


def said(talk: Client, *words: bytes) -> bytes | int | str | None:
    """Return the answer to a command, an error as its text."""
    (answer,) = talk.calls([words])
    return str(answer.message) if isinstance(answer, ReplyError) else answer
