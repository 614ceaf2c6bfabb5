"""What a process leaves that was killed while it made or wiped a pool is finished by the next one."""

from __future__ import annotations

import attrs
import pytest
from zos_disks import MIB, four_disks_in, loops_of, restart
from zos_killed import MAKING, WHILE, WIPING, killed_after

from statehold_zos.model import DiskState, DiskType, Policy, PoolState, Raid

OFTEN = {"file system", "kept as ready", "erased"}


def steps(names):
    return [name if name in OFTEN else pytest.param(name, marks=pytest.mark.soak) for name in names]


@pytest.fixture
def mirror(tmp_path):
    with four_disks_in(tmp_path, sizes=(160 * MIB,) * 2) as config:
        types = dict.fromkeys((str(image.path) for image in config.images), DiskType.SSD)
        yield attrs.evolve(config, types=types, policy=Policy(raid=Raid.RAID1, disks=2))


def is_one_mirror(disks, folder):
    (pool,) = disks.pools()
    assert (pool.state, pool.reason, len(pool.disks)) == (PoolState.READY, "", 2)
    assert pool.size > 0
    assert disks.backend(pool.id).enforced
    assert [disk.pool for disk in disks.scan()] == [pool.id] * 2
    disks.unmount(pool.id)
    assert loops_of(folder) == []
    assert disks.mount(pool.id) == pool


@pytest.mark.parametrize("step", steps(MAKING))
def test_a_pool_that_was_half_made_is_made(opened, mirror, tmp_path, step):
    killed_after(tmp_path, step, "prepare")
    disks = opened(mirror)
    disks.start()
    assert disks.plan().new == ()
    assert [(pool.state, pool.reason) for pool in disks.prepare()] == [(PoolState.READY, "")]
    is_one_mirror(disks, tmp_path)


def test_a_program_that_goes_on_without_its_process_is_waited_for(opened, mirror, tmp_path):
    killed_after(tmp_path, WHILE, "prepare")
    disks = opened(mirror)
    assert [(pool.state, pool.reason) for pool in disks.prepare()] == [(PoolState.READY, "")]
    is_one_mirror(disks, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("step", MAKING)
def test_so_is_one_whose_machine_was_restarted(opened, mirror, tmp_path, step):
    killed_after(tmp_path, step, "prepare")
    restart(mirror)
    disks = opened(mirror)
    disks.start()
    disks.prepare()
    is_one_mirror(disks, tmp_path)


@pytest.mark.parametrize("step", steps(WIPING))
def test_a_pool_that_was_half_wiped_is_wiped_by_the_same_again(opened, mirror, tmp_path, step):
    disks = opened(mirror)
    (pool,) = disks.prepare(tokens=disks.plan().tokens)
    (planned,) = disks.plan().pools
    killed_after(tmp_path, step, pool.id, planned.token)
    restart(mirror)
    disks = opened(mirror)
    disks.start()
    (planned_anew,) = disks.plan().pools
    assert disks.plan().new == ()
    disks.wipe(pool.id, token=planned_anew.token)
    assert disks.pools() == []
    assert [disk.state for disk in disks.scan()] == [DiskState.FREE] * 2
    assert [disk.found for disk in disks.scan()] == [()] * 2
