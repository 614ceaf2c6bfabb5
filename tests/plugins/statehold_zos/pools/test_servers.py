from __future__ import annotations

import pytest
from zos_pools import MIB, POOL, write

from statehold_zos.ledger import ClaimKind, Request
from statehold_zos.model import DiskType, NotFoundError, RefusedError


@pytest.fixture
def server(node):
    claim = node.ledger.claims.reserve(Request(kind=ClaimKind.SERVER, type=DiskType.SSD, size=MIB))
    node.ledger.claims.settle(claim.id)
    return claim.id


def test_the_folder_of_a_server_grows_and_shrinks_with_what_lives_in_it_and_books_nothing(node, server):
    free = node.free()
    path = node.pools.lodge(server, "1 MiB")
    assert path == node.pools.path_of(server)
    assert write(path, MIB) == MIB
    assert node.pools.lodge(server, 4 * MIB) == path
    assert write(path, 3 * MIB) == 3 * MIB
    with pytest.raises(RefusedError, match="holds"):
        node.pools.lodge(server, 2 * MIB)
    assert 4 * MIB <= node.pools.usage(server) <= 4 * MIB + 64 * 1024
    (path / "file").unlink()
    assert node.pools.lodge(server, 2 * MIB) == path
    assert node.free() == free
    assert node.pools.reconcile().clean
    assert node.pools.list() == ()


def test_the_folder_of_a_server_is_removed_as_often_as_that_is_asked_for(node, server):
    node.pools.lodge(server, MIB)
    for _ in range(2):
        node.pools.evict(server)
    assert node.pools._site(POOL).claims() == []


def test_a_server_is_no_space(node, server):
    for ask in (node.pools.look_up, node.pools.release):
        with pytest.raises(NotFoundError, match="that is a server"):
            ask(server)


def test_there_is_no_folder_without_a_claim(node):
    with pytest.raises(NotFoundError):
        node.pools.lodge("server-0000000000000000", MIB)
