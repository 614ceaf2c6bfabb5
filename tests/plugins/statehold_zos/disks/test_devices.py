"""Block devices, for which loop devices of our own images stand here, by a name that stays."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest
from file_systems import run
from zos_disks import MIB, loops_of

from statehold_zos.disks import BlockDevice, ImageFile, _making
from statehold_zos.model import DiskState, DiskType, PoolState, RefusedError, ZosError


@pytest.fixture
def device(four_disks, tmp_path):
    """A block device, and the configuration that allows it by a link."""
    image = four_disks.images[0].path
    with image.open("wb") as file:
        file.truncate(256 * MIB)
    found = run("losetup", "--find", "--show", image).stdout.strip()
    link = tmp_path / "by-id"
    link.symlink_to(found)
    types = {str(link): DiskType.HDD}
    return found, attrs.evolve(four_disks, images=(), devices=(str(link),), types=types)


def test_a_block_device_becomes_a_pool_and_is_given_back(opened, device, tmp_path):
    found, config = device
    disks = opened(config)
    assert [(disk.state, disk.device, disk.size) for disk in disks.scan()] == [
        (DiskState.FREE, found, 256 * MIB)
    ]
    with pytest.raises(RefusedError):
        disks.prepare(tokens=["make-0"])
    (pool,) = disks.prepare(tokens=disks.plan().tokens)
    assert (pool.state, pool.type, pool.disks) == (PoolState.READY, DiskType.HDD, config.devices)
    disks.unmount(pool.id)
    (back,) = opened(config).start()
    assert back == pool
    disks.wipe(pool.id, token=disks.plan().pools[0].token)
    assert [(disk.state, disk.found) for disk in disks.scan()] == [(DiskState.FREE, ())]
    assert loops_of(tmp_path) == [found]


def test_a_token_for_a_block_device_is_old_as_soon_as_something_is_written_to_it(opened, device):
    found, config = device
    disks = opened(config)
    tokens = disks.plan().tokens
    assert disks.plan().tokens == tokens
    with Path(found).open("r+b") as disk:
        disk.seek(123 * MIB)
        disk.write(b"something without a signature")
        os.fsync(disk.fileno())
    with pytest.raises(RefusedError, match="look at the plan again"):
        disks.prepare(tokens=tokens)


def test_a_block_device_is_not_wiped_while_it_is_mounted_elsewhere_too(opened, device, tmp_path):
    found, config = device
    disks = opened(config)
    (pool,) = disks.prepare(tokens=disks.plan().tokens)
    (tmp_path / "elsewhere").mkdir()
    run("mount", found, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "letter").write_text("private")
    token = disks.plan().pools[0].token
    with pytest.raises(ZosError, match="busy"):
        disks.wipe(pool.id, token=token)
    assert "btrfs" in run("blkid", "-p", found).stdout
    run("umount", tmp_path / "elsewhere")
    disks.wipe(pool.id, token=token)
    assert disks.scan()[0].state is DiskState.FREE


def test_a_disk_that_another_program_takes_meanwhile_is_not_written(opened, device, monkeypatch):
    found, config = device
    disks = opened(config)
    tokens, plain, held = disks.plan().tokens, _making._check, []

    def check(*given):
        plain(*given)
        held.append(os.open(found, os.O_RDONLY | os.O_EXCL))

    monkeypatch.setattr(_making, "_check", check)
    (failed,) = disks.prepare(tokens=tokens)
    os.close(held.pop())
    assert "busy" in failed.reason
    assert [(disk.state, disk.health.good) for disk in disks.scan()] == [(DiskState.FREE, True)]


def test_a_block_device_that_another_program_has_for_itself_is_not_free(opened, device):
    found, config = device
    disks = opened(config)
    held = os.open(found, os.O_RDONLY | os.O_EXCL)
    try:
        (seen,) = disks.scan()
        assert seen.state is DiskState.FOREIGN
        assert "busy" in seen.reason
        assert disks.plan().new == ()
    finally:
        os.close(held)
    assert disks.scan()[0].state is DiskState.FREE


def test_a_block_device_that_must_not_be_written_is_not_free(opened, device, four_disks):
    found, config = device
    run("blockdev", "--setro", found)
    try:
        (seen,) = opened(config).scan()
    finally:  # or whoever gets this loop device next cannot write
        run("blockdev", "--setrw", found)
    assert (seen.state, seen.reason) == (DiskState.FOREIGN, "must not be written")


def test_an_image_that_is_allowed_as_a_device_too_is_one_disk(opened, device, four_disks):
    _, config = device
    both = attrs.evolve(config, images=four_disks.images[:1])
    first, second = opened(both).scan()
    assert (first.state, first.reason) == (DiskState.FREE, "")
    assert (second.state, second.reason[:16]) == (DiskState.REFUSED, "is the same disk")


def test_an_image_has_one_loop_device_until_its_last_use_ends(four_disks, tmp_path):
    image = ImageFile(four_disks.images[0].path, 256 * MIB)
    assert not image.there
    assert image.find() == ""
    with pytest.raises(ZosError, match="is not there"):
        image.attach()
    image.make()
    image.make()
    found = image.attach()
    assert image.attach() == image.find() == found
    assert loops_of(tmp_path) == [found]
    held = os.open(found, os.O_RDONLY)
    image.detach()
    assert image.find() == found
    os.close(held)
    assert image.find() == ""
    image.detach()


def test_a_path_that_is_no_block_device_is_none(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        device = BlockDevice(str(path))
        assert (device.there, device.find(), device.size) == (False, "", 0)
        with pytest.raises(ZosError, match="is not there"):
            device.attach()
