from __future__ import annotations

import os
import subprocess

import pytest
from debian import PATH
from file_systems import fill, run
from zos_pools import MIB, POOL, Land, Node, backend_of, ground_of, switch_quotas_off, write

from statehold_quota import LoopImage
from statehold_quota._btrfs import _ioctl
from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskType, NoSpaceError, RefusedError, ZosError

USER = 1_900_000_011


@pytest.mark.parametrize("uid", [0, USER], ids=["root", "user"])
@pytest.mark.parametrize("piece", [4096, 1_000_003, 8 * MIB])
def test_a_space_on_btrfs_is_refused_the_very_byte_after_its_size(btrfs_node, uid, piece):
    space = btrfs_node.pools.reserve(DiskType.SSD, 4 * MIB)
    os.chown(space.path, uid, uid)
    done = subprocess.run(
        ["dd", "if=/dev/zero", "of=file", f"bs={piece}", "count=5000", "conv=fsync"],
        cwd=space.path,
        user=uid,
        group=uid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": PATH},
    )
    assert "Disk quota exceeded" in done.stderr
    assert (space.path / "file").stat().st_size == 4 * MIB
    assert btrfs_node.pools.usage(space.id) == 4 * MIB
    assert write(space.path, 1, name="another") == 0
    (space.path / "file").unlink()
    assert write(space.path, 5 * MIB, name="another") == 4 * MIB


def test_subvolumes_that_users_make_in_a_space_count_for_it(btrfs_node):
    space = btrfs_node.pools.reserve(DiskType.SSD, 2 * MIB)
    run("btrfs", "subvolume", "create", space.path / "inner")
    btrfs_node.pools.reconcile()
    assert 1.8 * MIB < fill(space.path / "inner", 4 * MIB)[0] < 2 * MIB
    btrfs_node.pools.release(space.id)
    assert btrfs_node.pools._site(POOL).claims() == []


def test_the_limit_is_there_before_the_folder_is(btrfs_node, monkeypatch):
    seen = []
    make = _ioctl.make_subvolume

    def watch(above, name):
        if name == "data":
            site = btrfs_node.pools._site(POOL)
            seen.append([site.kept(claim) for claim in site.claims()])
        make(above, name)

    monkeypatch.setattr(_ioctl, "make_subvolume", watch)
    btrfs_node.pools.reserve(DiskType.SSD, MIB)
    assert seen == [[MIB]]


def test_a_limit_that_cannot_be_set_leaves_neither_a_folder_nor_a_reservation(btrfs_node, monkeypatch):
    before = btrfs_node.groups

    def refuse(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(_ioctl, "set_limit", refuse)
        with pytest.raises(ZosError, match=f"{POOL} cannot hold space-.*Input/output error"):
            btrfs_node.pools.reserve(DiskType.SSD, MIB, name="logs")
    assert btrfs_node.pools.list() == ()
    assert btrfs_node.pools._site(POOL).claims() == []
    assert btrfs_node.groups == before
    assert btrfs_node.free() == 64 * MIB


def test_a_limit_that_cannot_be_raised_leaves_the_size_as_it_was(btrfs_node, monkeypatch):
    space = btrfs_node.pools.reserve(DiskType.SSD, MIB)

    def refuse(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(_ioctl, "set_limit", refuse)
        with pytest.raises(ZosError, match="Input/output error"):
            btrfs_node.pools.resize(space.id, 2 * MIB)
    assert btrfs_node.pools.look_up(space.id).size == MIB
    assert btrfs_node.free() == 63 * MIB
    assert write(space.path, 2 * MIB) == MIB


@pytest.fixture(params=["simple", "qgroup"])
def own_btrfs(request, tmp_path):
    with ground_of(request.param, tmp_path, size=160 * MIB) as place:
        node = Node(tmp_path / "node", Land())
        node.add(POOL, place, backend_of(request.param, place))
        yield node
        node.ledger.close()


def test_limits_are_kept_again_after_somebody_switched_quotas_off(own_btrfs):
    node, place = own_btrfs, own_btrfs.land.pools[POOL][0]
    first = node.pools.reserve(DiskType.SSD, 4 * MIB)
    assert write(first.path, MIB) == MIB
    _ioctl.sync(place)
    switch_quotas_off(place)
    report = node.pools.reconcile()
    assert report.limited == (first.id,)
    assert "switched quotas off" in report.faults[0]
    # What was written before is not forgotten.
    assert abs(write(first.path, 8 * MIB) - 3 * MIB) <= 64 * 1024
    assert node.pools.reconcile().clean


def test_a_reservation_does_not_wait_for_the_timer_to_switch_quotas_on_again(own_btrfs):
    node, place = own_btrfs, own_btrfs.land.pools[POOL][0]
    first = node.pools.reserve(DiskType.SSD, 4 * MIB)
    switch_quotas_off(place)
    second = node.pools.reserve(DiskType.SSD, 2 * MIB)
    assert write(second.path, 8 * MIB) == 2 * MIB
    assert write(first.path, 8 * MIB) <= 4 * MIB + 64 * 1024
    switch_quotas_off(place)
    grown = node.pools.resize(second.id, 3 * MIB)
    # What the file system had noted for itself before is not known to the byte.
    assert write(grown.path, 8 * MIB) <= MIB + 64 * 1024


def test_counts_that_are_inconsistent_are_noticed_and_counted_anew(tmp_path):
    with ground_of("qgroup", tmp_path, size=160 * MIB) as place:
        node = Node(tmp_path / "node", Land())
        node.add(POOL, place, backend_of("qgroup", place))
        space = node.pools.reserve(DiskType.SSD, 4 * MIB)
        write(space.path, MIB)
        run("sync", "-f", place)
        run("btrfs", "subvolume", "snapshot", space.path, place / "copy")
        run("sync", "-f", place)
        run("btrfs", "qgroup", "create", "2/1", place)
        run(
            "btrfs",
            "qgroup",
            "assign",
            "--no-rescan",
            f"0/{_ioctl.subvolume_of(place / 'copy')}",
            "2/1",
            place,
            check=False,
        )
        assert not node.pools._site(POOL).sound
        assert "inconsistent" in node.pools.reconcile().faults[0]
        assert node.pools._site(POOL).sound
        assert node.pools.reconcile().clean
        assert write(space.path, 8 * MIB) <= 3 * MIB + 64 * 1024
        node.ledger.close()


@pytest.fixture
def images(tmp_path):
    with ground_of("images", tmp_path) as place:
        node = Node(tmp_path / "node", Land())
        root = place / "pool"
        node.add(POOL, root, LoopImage(root=root))
        yield node
        node.ledger.close()


@pytest.mark.parametrize("size", [MIB, 10 * MIB, 40 * MIB])
def test_a_space_in_an_image_holds_its_size_and_little_more(images, size):
    space = images.pools.reserve(DiskType.SSD, size)
    written = write(space.path, 2 * size)
    assert size <= written <= size * 1.02 + 256 * 1024
    # What is booked is what the image takes of the pool, not what fits into it.
    taken = (space.path.parent.parent / f"{space.id}.img").stat().st_size
    assert images.free() == 64 * MIB - taken
    grown = images.pools.resize(space.id, size + MIB)
    assert write(grown.path, 2 * size) >= MIB - 256 * 1024
    assert images.free() == 64 * MIB - (space.path.parent.parent / f"{space.id}.img").stat().st_size


def test_an_image_that_does_not_fit_with_what_it_takes_itself_is_refused(images):
    with pytest.raises(NoSpaceError, match="free"):
        images.pools.reserve(DiskType.SSD, 64 * MIB)
    assert images.pools.list() == ()
    assert list((images.land.pools[POOL][0] / "spaces").iterdir()) == []
    assert images.free() == 64 * MIB


@pytest.mark.parametrize("size", [MIB, 4 * MIB, 50 * MIB, 255 * MIB, 256 * MIB, 1024 * MIB])
def test_an_image_takes_no_more_of_its_pool_than_was_booked_for_it(images, size):
    images.ledger.pools.put(POOL, type=DiskType.SSD, size=4096 * MIB)
    site = images.pools._site(POOL)
    site.make("space-0000000000000000", size)
    assert site.taken("space-0000000000000000", size) <= site.room(size)
    site.remove("space-0000000000000000")


@pytest.mark.parametrize("grown", [True, False])
def test_an_image_whose_resizer_was_killed_has_its_room_booked_as_it_takes_it(images, grown):
    space = images.pools.reserve(DiskType.SSD, 4 * MIB)
    site, ledger = images.pools._site(POOL), Ledger(images.folder)
    claim = ledger.claims.take(space.id)
    ledger.claims.resize(space.id, 8 * MIB, room=site.room(8 * MIB))
    if grown:
        site.grow(space.id, 8 * MIB)
    ledger.close()
    report = images.pools.reconcile()
    assert report.limited == (() if grown else (space.id,))
    taken = site.taken(space.id, 8 * MIB)
    assert claim.room < taken < site.room(8 * MIB)
    assert images.free() == 64 * MIB - taken
    assert images.pools.reconcile().clean


def test_an_image_that_holds_more_than_its_reservation_is_told_and_keeps_nothing_else_from_being_put_right(
    images,
):
    space, other = (images.pools.reserve(DiskType.SSD, 4 * MIB) for _ in range(2))
    images.pools._site(POOL).grow(space.id, 12 * MIB)  # as by hand
    write(space.path, 8 * MIB)
    run("umount", other.path.parent)
    report = images.pools.reconcile()
    assert "its image cannot get smaller than that" in report.faults[0]
    assert report.limited == (other.id,)
    with pytest.raises(RefusedError, match="cannot get smaller than that"):
        images.pools.resize(space.id, 2 * MIB)


def test_images_are_mounted_again_after_a_restart(images):
    space = images.pools.reserve(DiskType.SSD, 2 * MIB)
    write(space.path, 1000)
    run("umount", space.path.parent)
    assert images.pools.reconcile().limited == (space.id,)
    assert (space.path / "file").stat().st_size == 1000
    assert images.pools.reconcile().clean
