"""What becomes of namespaces that are released, of their servers, and of the folders of these."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from zos_namespaces import PASSWORD, Served, client, said, served
from zos_pools import MIB

from statehold_zos.model import DiskType, Mode, NamespaceState, NotFoundError, RefusedError

GRACE = 3600.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, grace=GRACE) as found:
        yield found


def test_a_namespace_that_was_released_is_read_only_until_its_grace_time_is_over(node: Served) -> None:
    """Then it is deleted, and with the last one its server and the folder of that."""
    space = node.namespaces
    first = space.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="o", name="n")
    with contextlib.closing(client(first)) as talk:
        said(talk, b"SET", b"k", b"v")
        space.release(first.id)
        space.release(first.id)
        assert said(talk, b"SET", b"k", b"w") == "Namespace is temporarily locked (read-only)"
        assert said(talk, b"GET", b"k") == b"v"
    assert space.get(first.id).state is NamespaceState.RELEASED
    for change in (
        lambda: space.resize(first.id, 2 * MIB),
        lambda: space.freeze(first.id, frozen=False),
        lambda: space.change_password(first.id, "new"),
    ):
        with pytest.raises(RefusedError):
            change()
    # Its name is free; its room is not.
    assert space.find("o", "n") is None
    second = space.reserve(DiskType.SSD, MIB, Mode.SEQ, PASSWORD, owner="o", name="n")
    assert second.id != first.id
    node.clock.now += GRACE - 1
    assert space.reconcile().clean
    assert space.get(first.id).state is NamespaceState.RELEASED
    node.clock.now += 2
    assert space.reconcile().deleted == (first.id,)
    with pytest.raises(NotFoundError):
        space.get(first.id)
    assert node.disagreements() == []
    assert len(space.processes()) == 1
    space.release(second.id, now=True)
    assert space.processes() == []
    assert node.node.free() == 64 * MIB
    assert list((node.node.land.pools["pool"][0] / "spaces").iterdir()) == []
    assert node.disagreements() == []


def test_what_is_released_while_its_server_is_down_is_deleted_without_it(node: Served) -> None:
    made = [node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD) for _ in range(2)]
    node.namespaces.stop()
    node.namespaces.release(made[0].id, now=True)
    assert node.namespaces.processes() == []
    with pytest.raises(NotFoundError):
        node.namespaces.get(made[0].id)
    assert node.namespaces.reconcile().started
    assert node.disagreements() == []


def test_what_is_released_while_its_pool_is_gone_is_deleted_when_it_is_back(node: Served) -> None:
    made = [node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD) for _ in range(2)]
    node.node.land.away.add("pool")
    node.node.pools._sites.clear()
    with pytest.raises(Exception, match="not mounted"):
        node.namespaces.release(made[0].id, now=True)
    report = node.namespaces.reconcile()
    assert report.faults
    assert not report.started
    assert node.namespaces.processes() == []  # it would keep the disk in use
    assert node.namespaces.get(made[1].id).state is NamespaceState.GONE
    node.node.land.away.clear()
    report = node.namespaces.reconcile()
    assert report.deleted == (made[0].id,)
    assert report.started
    assert node.namespaces.get(made[1].id).state is NamespaceState.READY
    assert node.disagreements() == []
