from __future__ import annotations

import random
import time

import pytest
from zos_pools import MIB, POOL, Land, Node, backend_of, ground_of, write
from zos_work import Workers

from statehold_quota._btrfs import _ioctl
from statehold_zos.ledger import ClaimState
from statehold_zos.model import SpaceState

SIZE = 64 * MIB
_PATIENCE = 120.0


@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("simple", 10),
        pytest.param("simple", 200, marks=pytest.mark.soak),
        pytest.param("qgroup", 200, marks=pytest.mark.soak),
    ],
)
def test_reservations_subvolumes_and_quota_groups_agree_after_eight_processes_were_killed_many_times(
    tmp_path, kind, kills
):
    chance = random.Random(kills)
    with ground_of(kind, tmp_path, size=512 * MIB) as place:
        node = Node(tmp_path / "node", Land())
        node.add(POOL, place, backend_of(kind, place), size=SIZE)
        with Workers(kind, place, node.folder) as workers:
            for seed in range(8):
                workers.start(seed)
            for seed in range(8, 8 + kills):
                time.sleep(chance.uniform(0.005, 0.05))  # it is to be killed anywhere
                workers.kill(chance.randrange(8))
                workers.start(seed)
        assert [file.read_text() for file in node.folder.glob("failed-*")] == []
        settle(node)
        agree(node)
        for space in node.pools.list():
            assert space.state is SpaceState.READY
            taken = (space.path / "file").stat().st_size if (space.path / "file").exists() else 0
            # In many steps, each a little file at first: what is noted of them takes its part.
            assert taken + write(space.path, 8 * MIB) >= space.size - 512 * 1024
            assert (space.path / "file").stat().st_size <= space.size
            node.pools.release(space.id)
        settle(node)
        agree(node)
        assert node.free() == SIZE
        assert node.groups == []
        node.ledger.close()


def settle(node: Node) -> None:
    """Reconcile until nothing is left to do: the kernel takes removed subvolumes apart by and by."""
    end = time.monotonic() + _PATIENCE
    while True:
        report = node.pools.reconcile()
        assert report.faults == report.gone == ()
        if report.clean and len(node.groups) == len(expected(node)):
            return
        assert time.monotonic() < end, (report, node.groups, expected(node))
        time.sleep(0.05)


def agree(node: Node) -> None:
    """Compare reservations with subvolumes, these with quota groups, and these with the sizes reserved."""
    assert node.ledger.check() == []
    claims = node.ledger.claims.all()
    assert {claim.state for claim in claims} <= {ClaimState.READY}
    site = node.pools._site(POOL)
    assert site.claims() == [claim.id for claim in claims]
    assert node.groups == sorted(expected(node))
    for claim in claims:
        assert site.keeps(claim.id, claim.size)
    assert node.free() == SIZE - sum(claim.room for claim in claims)


def expected(node: Node) -> set[int]:
    """Return the quota groups that there are to be: two of subvolumes, and one with the limit, for each."""
    groups = set()
    for claim in node.ledger.claims.all():
        path = node.pools.path_of(claim.id)
        above, own = _ioctl.subvolume_of(path.parent), _ioctl.subvolume_of(path)
        groups |= {above, own, 1 << 48 | above}
    return groups
