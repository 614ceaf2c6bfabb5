"""What holds anything of anybody else is not touched."""

from __future__ import annotations

import os
import struct
import zlib
from uuid import UUID, uuid5

import attrs
import pytest
from file_systems import run
from zos_disks import MIB, contents, four_disks_in, loops_of, restart

from statehold_zos.disks import ImageFile, _probe
from statehold_zos.model import DiskState, Image, PoolState, RefusedError, ZosError


def table(image, *, primary=True):
    """Write a partition table of the kind GPT, the copy at the end too."""
    size = image.stat().st_size
    last = size // 512 - 1
    entries = bytes(128 * 128)

    def header(own, other, first):
        fields = (0, 0, own, other, 34, last - 33, b"\1" * 16, first, 128, 128, zlib.crc32(entries))
        packed = bytearray(struct.pack("<8sIIII4Q16sQIII", b"EFI PART", 0x10000, 92, *fields))
        packed[16:20] = struct.pack("<I", zlib.crc32(packed))
        return packed

    with image.open("r+b") as file:
        if primary:
            file.seek(446)
            file.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff" * 3, 1, last))
            file.seek(510)
            file.write(b"\x55\xaa")
            file.write(header(1, last, 2))
            file.write(entries)
        file.seek(size - 33 * 512)
        file.write(entries)
        file.write(header(last, 1, last - 32))


def ext4(image):
    run("mkfs.ext4", "-q", "-F", "-L", "papers", image)


def swap(image):
    run("mkswap", image)


def old_table(image):
    """The copy of a partition table that a wipe of the first megabytes has left."""
    table(image, primary=False)


def old_btrfs(image):
    """A btrfs whose first superblock is gone; the copy of it stays."""
    run("mkfs.btrfs", "-q", image)
    run("wipefs", "-a", image)


def two_at_once(image):
    run("mkfs.ext4", "-q", "-F", image)
    with image.open("r+b") as file:
        file.seek(64 * 1024)
        with image.with_suffix(".other").open("w+b") as other:
            other.truncate(256 * MIB)
            run("mkfs.btrfs", "-q", "-f", other.name)
            other.seek(64 * 1024)
            file.write(other.read(4096))


def strange_name(image):
    """An ext4 whose label is no text."""
    run("mkfs.ext4", "-q", "-F", image)
    with image.open("r+b") as file:
        file.seek(1024 + 120)
        file.write(b'\xff\xfe"\\\n'.ljust(16, b"\0"))


@pytest.mark.parametrize("write", [ext4, swap, table, old_table, old_btrfs, two_at_once, strange_name])
def test_a_disk_that_holds_something_is_left_alone(opened, four_disks, write):
    disks = opened(attrs.evolve(four_disks, images=four_disks.images[:1]))
    image = four_disks.images[0].path
    with image.open("wb") as file:
        file.truncate(256 * MIB)
    write(image)
    before = contents(image)
    assert disks.prepare(tokens=disks.plan().tokens) == []
    (seen,) = disks.scan()
    assert seen.state is DiskState.FOREIGN
    assert seen.found
    assert "holds" in seen.reason
    disks.start()
    assert contents(image) == before


def test_the_pool_of_another_node_is_left_alone(opened, four_disks, tmp_path):
    four_disks = attrs.evolve(four_disks, images=four_disks.images[:1])
    theirs = opened(four_disks)
    pools = theirs.prepare(tokens=theirs.plan().tokens)
    restart(four_disks)
    ours = opened(attrs.evolve(four_disks, folder=tmp_path / "another"))
    assert ours.start() == []
    assert {disk.state for disk in ours.scan()} == {DiskState.FOREIGN}
    assert all("of another node" in disk.reason for disk in ours.scan())
    assert ours.plan().new == ours.plan().pools == ()
    assert ours.prepare() == []
    with pytest.raises(RefusedError):
        ours.prepare(tokens=["make-anything"])
    assert [pool.id for pool in theirs.start()] == [pool.id for pool in pools]
    assert {pool.state for pool in theirs.pools()} == {PoolState.READY}


def test_a_disk_with_the_right_label_is_not_ours_for_that(disks, four_disks):
    (pool, *_) = disks.prepare(tokens=disks.plan().tokens[:1])
    image = four_disks.images[3].path
    with image.open("wb") as file:
        file.truncate(256 * MIB)
    run("mkfs.btrfs", "-q", "-L", pool.id, image)
    assert disks.scan()[3].state is DiskState.FOREIGN


def test_a_copy_of_a_disk_of_ours_is_refused_wherever_it_stands(opened, four_disks, tmp_path):
    disks = opened(four_disks)
    disks.prepare(tokens=disks.plan().tokens[:1])
    copy = tmp_path / "copy.img"
    run("cp", "--sparse=always", four_disks.images[0].path, copy)
    images = (Image(path=copy, size=256 * MIB), *four_disks.images)
    disks = opened(attrs.evolve(four_disks, images=images))
    seen = disks.scan()
    assert [disk.state for disk in seen[:2]] == [DiskState.REFUSED, DiskState.POOL]
    assert "copy of it" in seen[0].reason


def test_a_disk_that_is_allowed_under_two_names_is_one(opened, four_disks, tmp_path):
    disks = opened(four_disks)
    disks.prepare(tokens=disks.plan().tokens[:1])
    other = tmp_path / "other.img"
    other.hardlink_to(four_disks.images[0].path)
    images = (*four_disks.images, Image(path=other, size=256 * MIB))
    assert opened(attrs.evolve(four_disks, images=images)).scan()[4].state is DiskState.REFUSED


def test_a_disk_that_is_too_small_is_refused(opened, tmp_path):
    with four_disks_in(tmp_path, sizes=(64 * MIB,)) as config:
        disks = opened(config)
        assert disks.plan().new == ()
        (seen,) = disks.scan()
        assert seen.state is DiskState.REFUSED
        assert "smaller" in seen.reason


def test_a_disk_that_another_program_uses_is_not_free(opened, four_disks):
    image = four_disks.images[0].path
    with image.open("wb") as file:
        file.truncate(256 * MIB)
    device = run("losetup", "--find", "--show", image).stdout.strip()
    # The device itself is allowed, and somebody has a file system on another view of it.
    disks = opened(attrs.evolve(four_disks, images=(), devices=(device,)))
    assert disks.scan()[0].state is DiskState.FREE
    run("mkfs.ext4", "-q", device)
    assert disks.scan()[0].state is DiskState.FOREIGN


def test_an_image_of_which_somebody_has_a_part_is_not_free(opened, four_disks, tmp_path):
    image = four_disks.images[0].path
    with image.open("wb") as file:
        file.truncate(256 * MIB)
    disks = opened(attrs.evolve(four_disks, images=four_disks.images[:1]))
    tokens = disks.plan().tokens
    part = run("losetup", "--find", "--show", "--offset", 16 * MIB, image).stdout.strip()
    (seen,) = disks.scan()
    assert (seen.state, seen.device) == (DiskState.FOREIGN, "")
    assert part in seen.reason
    with pytest.raises(RefusedError):
        disks.prepare(tokens=tokens)
    assert loops_of(tmp_path) == [part]
    run("mkfs.ext4", "-q", "-F", image)  # what is on the whole counts, not what is on the part
    assert disks.scan()[0].state is DiskState.FOREIGN


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_what_is_no_file_at_the_path_of_an_image_stays_there(opened, four_disks, put):
    image = four_disks.images[0].path
    put(image)
    disks = opened(attrs.evolve(four_disks, images=four_disks.images[:1]))
    before = image.lstat()
    assert [disk.state for disk in disks.scan()] == [DiskState.REFUSED]
    assert disks.prepare(tokens=disks.plan().tokens) == []
    with pytest.raises(ZosError, match="is no file"):
        ImageFile(image, 256 * MIB).make()
    assert image.lstat() == before


def test_a_label_that_is_no_id_of_a_pool_proves_nothing(opened, four_disks):
    """A disk that somebody made knows the id of the node, and wants to be mounted elsewhere."""
    image = four_disks.images[0].path
    with image.open("wb") as file:
        file.truncate(256 * MIB)
    disks = opened(attrs.evolve(four_disks, images=four_disks.images[:1]))
    label = "zos-1/../../../elsewhere"
    run("mkfs.btrfs", "-q", "-L", label, "-U", uuid5(UUID(disks.node), label), image)
    assert disks.scan()[0].state is DiskState.FOREIGN
    assert disks.start() == []
    assert not (four_disks.folder / "pools").exists()


def test_a_block_device_that_is_not_there_is_refused_and_says_so(opened, four_disks, tmp_path):
    disks = opened(attrs.evolve(four_disks, images=(), devices=(str(tmp_path / "sdz"),)))
    assert disks.scan()[0].state is DiskState.REFUSED
    assert disks.plan().new == ()


def test_what_blkid_is_not_sure_about_is_told(four_disks):
    image = four_disks.images[0].path
    with image.open("wb") as file:
        file.truncate(256 * MIB)
    assert _probe.probe(str(image)).empty
    two_at_once(image)
    found = _probe.probe(str(image))
    assert set(found.signatures) >= {"btrfs", "ext4"}
    assert found.kind == ""
