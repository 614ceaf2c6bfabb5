from __future__ import annotations

import attrs
import pytest

from statehold_zos.disks import DiskModule
from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskState, DiskType, PoolState, RefusedError


@pytest.fixture
def disks(four_disks):
    with Ledger(four_disks.folder) as ledger:
        yield DiskModule(four_disks, ledger)


def test_a_plan_says_what_would_be_made_and_changes_nothing(disks, four_disks):
    plan = disks.plan()
    assert len(plan.new) == 4
    assert len(set(plan.tokens)) == 4
    assert not any(image.path.exists() for image in four_disks.images)
    assert plan.tokens == disks.plan().tokens
    assert disks.prepare() == []


def test_each_disk_becomes_a_pool(disks):
    pools = disks.prepare(tokens=disks.plan().tokens)
    assert [pool.state for pool in pools] == [PoolState.READY] * 4
    assert sorted(pool.type.value for pool in pools) == ["hdd", "hdd", "ssd", "ssd"]
    assert all(pool.limits == "btrfs simple quota" for pool in pools)
    print(pools)
    assert {disk.state for disk in disks.scan()} == {DiskState.POOL}
