from __future__ import annotations

import pytest
from zos_pools import MIB, POOL, write

from statehold_zos.ledger import ClaimKind, Request
from statehold_zos.model import DiskType, NoSpaceError, NotFoundError, RefusedError


@pytest.fixture
def server(node):
    claim = node.ledger.claims.reserve(Request(kind=ClaimKind.SERVER, type=DiskType.SSD, size=MIB))
    node.ledger.claims.settle(claim.id)
    return claim.id


def test_the_folder_of_a_server_grows_and_shrinks_with_what_lives_in_it(node, server):
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
    if not node.pools._site(POOL).in_images:
        assert node.free() == free, "what is in it has booked its room"
    assert node.pools.reconcile().clean
    assert node.pools.list() == ()


def test_what_an_image_takes_beyond_what_a_server_needs_is_booked_with_the_server(node, server):
    site = node.pools._site(POOL)
    if not site.in_images:
        pytest.skip("its folders are in no images")
    free = node.free()
    for size in (8 * MIB, 24 * MIB, 12 * MIB, 12 * MIB):
        node.ledger.claims.resize(server, size)
        node.pools.lodge(server, size)
        taken = site.taken(server, size)
        assert taken > size
        assert node.free() == free + MIB - taken, "no more, however often it is asked for, and no less"
        assert node.ledger.namespaces.room(server) == size


def test_an_image_of_a_server_that_does_not_fit_into_its_pool_is_refused_and_nothing_is_changed(node, server):
    if not node.pools._site(POOL).in_images:
        pytest.skip("its folders are in no images")
    path = node.pools.lodge(server, MIB)
    everything = node.free() + MIB
    node.ledger.claims.resize(server, everything - MIB, room=everything - MIB)
    with pytest.raises(NoSpaceError):
        node.pools.lodge(server, everything - MIB)
    assert write(path, MIB) == MIB


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
