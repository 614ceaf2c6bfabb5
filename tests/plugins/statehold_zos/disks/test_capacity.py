from __future__ import annotations

import contextlib

import attrs
import pytest
from file_systems import fill
from zos_disks import MIB, four_disks_in

from statehold_quota import Group
from statehold_zos.model import DiskType, Policy, Raid

SPACES = 5


@contextlib.contextmanager
def disks_of_one_type(opened, folder, sizes):
    with four_disks_in(folder, sizes=tuple(size * MIB for size in sizes)) as config:
        types = dict.fromkeys((str(image.path) for image in config.images), DiskType.SSD)
        yield opened(attrs.evolve(config, types=types))


def spaces_of(disks, pool):
    """Make spaces that take all that a pool says it has, and yield the folder and the limit of each."""
    backend, each = disks.backend(pool.id), pool.size // SPACES // 4096 * 4096
    for number in range(SPACES):
        limit = each if number else pool.size - each * (SPACES - 1)
        group = Group(pool.path / f"space-{number}")
        backend.make_group(group)
        backend.set_limit(group, limit)
        yield backend.make_folder(group, "data"), limit


def fills_up(disks, policy):
    (pool,) = disks.prepare(policy, tokens=disks.plan(policy).tokens)
    for folder, limit in spaces_of(disks, pool):
        written, refused = fill(folder, limit + MIB)
        assert refused == "EDQUOT"
        assert written >= limit - 64 * 1024
    return pool


@pytest.mark.parametrize(
    ("raid", "sizes"), [(Raid.SINGLE, (160,)), (Raid.RAID1, (160, 160))], ids=["single", "raid1"]
)
def test_all_reservations_together_can_be_filled_to_the_last_byte(opened, tmp_path, raid, sizes):
    with disks_of_one_type(opened, tmp_path, sizes) as disks:
        pool = fills_up(disks, Policy(raid=raid, disks=len(sizes)))
        assert disks.pool(pool.id).used == pool.size


@pytest.mark.soak
@pytest.mark.parametrize(
    ("raid", "sizes"),
    [
        (Raid.SINGLE, (128,)),
        (Raid.SINGLE, (2048,)),
        (Raid.SINGLE, (256, 160, 512)),
        (Raid.RAID0, (256, 160, 400)),
        (Raid.RAID1, (2048, 2048)),
        (Raid.RAID1, (256, 160, 400, 300)),
        (Raid.RAID10, (256, 256, 256, 256)),
        (Raid.RAID10, (256, 256, 384, 512)),
        (Raid.RAID10, (200, 256, 256, 300, 384, 512)),
    ],
)
def test_so_can_they_on_disks_of_unlike_sizes(opened, tmp_path, raid, sizes):
    with disks_of_one_type(opened, tmp_path, sizes) as disks:
        fills_up(disks, Policy(raid=raid, disks=len(sizes), mixed_sizes=True))


@pytest.mark.soak
@pytest.mark.parametrize("raid", [Raid.SINGLE, Raid.RAID1])
def test_so_can_they_after_others_were_released(opened, tmp_path, raid):
    with disks_of_one_type(opened, tmp_path, (256,) * raid.least) as disks:
        policy = Policy(raid=raid, disks=raid.least)
        (pool,) = disks.prepare(policy, tokens=disks.plan(policy).tokens)
        backend = disks.backend(pool.id)
        for _ in range(5):
            for folder, limit in spaces_of(disks, pool):
                written, refused = fill(folder, limit + MIB)
                assert (refused, limit - written <= 64 * 1024) == ("EDQUOT", True)
            assert disks.pool(pool.id).used == pool.size
            for number in range(SPACES):
                backend.remove_group(Group(pool.path / f"space-{number}"))
            assert disks.pool(pool.id).used == 0


def test_images_can_be_filled_as_well(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("statehold_zos.disks._btrfs.supported", lambda: False)
    with disks_of_one_type(opened, tmp_path, (160,)) as disks:
        (pool,) = disks.prepare(tokens=disks.plan().tokens)
        backend, left, number = disks.backend(pool.id), pool.size, 0
        size = 48 * MIB
        while left >= backend.most(size):
            left -= backend.most(size)
            group = Group(pool.path / f"space-{number}")
            backend.make_group(group)
            backend.set_limit(group, size)
            written, refused = fill(backend.make_folder(group, "data"), 2 * size)
            assert refused == "ENOSPC"
            assert written >= size - MIB
            number += 1
        assert number == 2
