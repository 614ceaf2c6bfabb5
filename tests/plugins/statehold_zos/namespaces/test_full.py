"""Namespaces that are full, on a file system that keeps limits: what is reserved can really be written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from zos_namespaces import PASSWORD, Served, client, lending, said
from zos_pools import MIB, POOL, Land, Node, backend_of, ground_of

from statehold_zdb.client import Client
from statehold_zos.model import DiskType, Mode, RefusedError

SIZE = 200 * MIB


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("n")
    with ground_of("simple", folder) as point:
        found = Node(folder / "node", Land())
        root = point / "pool"
        root.mkdir()
        found.add(POOL, root, backend_of("simple", root), size=SIZE)
        with lending(found) as served:
            yield served


def fill(talk: Client, count: int, payload: int, *, turn: int = 0) -> str:
    """Set so many keys, one after another; return why one was refused, "" if none was."""
    for i in range(count):
        answer = said(talk, b"SET", b"%08d" % i, bytes([(i + turn) % 256]) * payload)
        if isinstance(answer, str):
            return answer
    return ""


def test_a_full_namespace_fits_to_its_last_byte_and_nothing_is_left_of_it(node: Served) -> None:
    made = node.namespaces.reserve(DiskType.SSD, 8 * MIB, Mode.USER, PASSWORD)
    with contextlib.closing(client(made)) as talk:
        assert fill(talk, 256, 32768) == ""
        assert said(talk, b"SET", b"more", b"x") == "No space left on this namespace"
    assert node.namespaces.get(made.id).used == 8 * MIB
    with pytest.raises(RefusedError):
        node.namespaces.resize(made.id, 8 * MIB - 1)
    assert node.namespaces.resize(made.id, 12 * MIB).size == 12 * MIB
    with contextlib.closing(client(made)) as talk:
        assert said(talk, b"SET", b"more", b"x") == b"more"
    server = node.node.ledger.claims.get(made.id).server
    limit = node.node.pools._site(POOL).kept(server)
    assert limit is not None
    assert limit <= node.node.ledger.namespaces.room(server)
    assert node.disagreements() == []
    node.namespaces.release(made.id)
    assert node.node.free() == SIZE
    assert node.node.groups == []
    assert node.disagreements() == []


def test_a_disk_that_overwritten_payloads_have_filled_is_given_back_what_nobody_needs(node: Served) -> None:
    """And one that is full can be deleted from."""
    made = node.namespaces.reserve(DiskType.SSD, 4 * MIB, Mode.USER, PASSWORD)
    other = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
    with contextlib.closing(client(made)) as talk:
        refused = ""
        for turn in range(40):
            refused = fill(talk, 64, 65536, turn=turn)
            if refused:
                break
        assert refused == "Cannot write data right now"
        # What was acknowledged is there, and can be read.
        assert said(talk, b"LENGTH", b"%08d" % 63) == 65536
        assert made.id in node.namespaces.reconcile().relieved
        assert fill(talk, 4, 65536, turn=100) == ""
        while not fill(talk, 64, 65536, turn=turn):
            turn += 1
    node.namespaces.release(made.id)
    assert [each.id for each in node.namespaces.list()] == [other.id]
    assert node.disagreements() == []
    node.namespaces.release(other.id)
    assert node.node.free() == SIZE


def test_a_server_that_is_started_anew_has_its_limit_again(node: Served, tmp_path: Path) -> None:
    made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
    server = node.node.ledger.claims.get(made.id).server
    site = node.node.pools._site(POOL)
    limit = site.kept(server)
    site.grow(server, 100 * MIB)
    assert node.namespaces.reconcile().clean
    assert site.kept(server) == limit
    node.namespaces.release(made.id)
    assert node.disagreements() == []
