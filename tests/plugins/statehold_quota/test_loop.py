from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from file_systems import fill, mounted, run, unmount_all

from statehold_quota import Group, LoopImage, QuotaError, QuotaFullError, clean_up, probe
from statehold_quota._loop import _image

MIB = 2**20
USER = 1_900_000_008
LIMIT = 4 * MIB


@pytest.fixture
def backend(loop_root):
    return LoopImage(root=loop_root)


@pytest.fixture
def group(backend):
    group = Group(backend.root / "service")
    backend.make_group(group)
    backend.set_limit(group, LIMIT)
    for folder in ("a", "b"):
        os.chown(backend.make_folder(group, folder), USER, USER)
    return group


@pytest.mark.parametrize("uid", [0, USER], ids=["root", "service-user"])
def test_folders_together_are_refused_what_is_over_the_limit(group, uid):
    assert fill(group.path / "a", 3 * MIB, uid=uid) == (3 * MIB, "")
    written, refused = fill(group.path / "b", 3 * MIB, uid=uid)
    assert refused == "ENOSPC"
    assert 0.5 * MIB < written < 1.25 * MIB


def test_the_probe_is_refused_and_leaves_nothing_behind(backend):
    finding = probe(backend, backend.root)
    assert (finding.works, finding.enforced, finding.root_too) == (True, True, True), finding.reason
    assert "ENOSPC" in finding.proof
    assert list(backend.root.iterdir()) == []
    assert str(backend.root) not in run("losetup", "--list").stdout


@pytest.mark.parametrize("limit", [1 * MIB, 10 * MIB, 40 * MIB])
def test_the_room_in_an_image_is_the_limit_or_little_more(backend, limit):
    group = Group(backend.root / "service")
    backend.set_limit(group, limit)
    assert backend.keeps(group, limit)
    assert limit <= backend.limit(group) <= limit * 1.02 + 192 * 1024
    assert (backend.root / "service.img").stat().st_blocks * 512 >= limit


@pytest.mark.parametrize("limit", [1 * MIB, 10 * MIB, 40 * MIB])
def test_with_the_overhead_a_file_as_large_as_the_limit_fits(backend, limit):
    group = Group(backend.root / "service")
    backend.set_limit(group, limit + backend.overhead)
    folder = backend.make_folder(group, "a")
    written, refused = fill(folder, 2 * limit)
    assert refused == "ENOSPC"
    assert limit <= written <= limit * 1.02 + 256 * 1024
    assert backend.taken(group) <= backend.most(limit + backend.overhead)


def test_an_image_on_btrfs_is_written_in_place(btrfs):
    group = Group(btrfs / "service")
    backend = LoopImage(root=btrfs)
    backend.set_limit(group, LIMIT)
    assert "C" in run("lsattr", btrfs / "service.img").stdout.split()[0]


def test_an_image_grows_and_keeps_what_is_in_it(backend, group):
    (group.path / "a" / "note").write_text("kept")
    backend.set_limit(group, 4 * LIMIT)
    assert backend.keeps(group, 4 * LIMIT)
    assert (group.path / "a" / "note").read_text() == "kept"
    assert fill(group.path / "b", 3 * LIMIT) == (3 * LIMIT, "")


def test_an_image_shrinks_and_keeps_what_is_in_it(backend, group):
    (group.path / "a" / "note").write_text("kept")
    before = (backend.root / "service.img").stat().st_size
    backend.set_limit(group, LIMIT // 2)
    assert backend.keeps(group, LIMIT // 2)
    assert (group.path / "a" / "note").read_text() == "kept"
    assert (backend.root / "service.img").stat().st_size < before
    assert fill(group.path / "b", LIMIT)[1] == "ENOSPC"


def test_an_image_does_not_shrink_below_what_it_holds(backend, group):
    fill(group.path / "a", 3 * MIB)
    with pytest.raises(QuotaFullError, match="cannot get smaller"):
        backend.set_limit(group, MIB)
    assert (group.path / "a" / "file").stat().st_size == 3 * MIB
    assert backend.keeps(group, LIMIT)


def test_an_image_that_is_in_use_does_not_shrink_and_stays_usable(backend, group):
    with (group.path / "a" / "open").open("w"), pytest.raises(QuotaError, match=r"busy"):
        backend.set_limit(group, MIB)
    assert backend.keeps(group, LIMIT)


SLOW = """#!/bin/sh
touch {began}
for each in $(seq 3000); do [ -e {go} ] && break; sleep 0.02; done
PATH=/usr/sbin:/sbin:/usr/bin:/bin exec resize2fs "$@"
"""
SHRINK = """
import sys
from pathlib import Path
from statehold_quota import Group, LoopImage, _programs
_programs._PATH = f"{sys.argv[1]}:{_programs._PATH}"
LoopImage(root=Path(sys.argv[2])).set_limit(Group(Path(sys.argv[2]) / "service"), 1024 * 1024)
"""


def test_an_image_is_not_mounted_while_a_program_is_at_it_whose_starter_was_killed(
    backend, group, tmp_path, monkeypatch
):
    (group.path / "a" / "file").write_bytes(b"kept")
    programs, began, go = (tmp_path / name for name in ("programs", "began", "go"))
    programs.mkdir()
    (programs / "resize2fs").write_text(SLOW.format(began=began, go=go))
    (programs / "resize2fs").chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", SHRINK, programs, backend.root]) as starter:
        while not began.exists():
            assert starter.poll() is None
            time.sleep(0.01)
        starter.kill()
    try:
        monkeypatch.setattr(_image, "_ALONE", 0.1)
        with pytest.raises(QuotaError, match=r"service\.img is being checked, resized or mounted"):
            backend.make_group(group)
        assert backend.limit(group) is None
    finally:
        go.touch()
    monkeypatch.setattr(_image, "_ALONE", 60.0)
    backend.set_limit(group, LIMIT)
    assert backend.keeps(group, LIMIT)
    assert (group.path / "a" / "file").read_bytes() == b"kept"


def test_an_image_is_mounted_again_after_a_restart(backend, group):
    (group.path / "a" / "note").write_text("kept")
    unmount_all(backend.root)
    assert backend.limit(group) is None
    with pytest.raises(QuotaError, match="not mounted"):
        backend.make_folder(group, "c")
    assert not (group.path / "c").exists()
    backend.make_group(group)
    assert (group.path / "a" / "note").read_text() == "kept"
    assert backend.keeps(group, LIMIT)


def test_an_image_that_a_service_still_uses_is_mounted_again_by_the_same_device(backend, group, tmp_path):
    (group.path / "a" / "note").write_text("kept")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run("mount", "--bind", group.path, elsewhere)
    try:
        run("umount", group.path)
        backend.make_group(group)
        (elsewhere / "a" / "more").write_text("seen")
        assert (group.path / "a" / "more").read_text() == "seen"
        assert len(run("losetup", "--associated", backend.root / "service.img").stdout.splitlines()) == 1
        with pytest.raises(QuotaError, match="in use elsewhere"):
            backend.set_limit(group, MIB)
        assert backend.keeps(group, LIMIT)
        with pytest.raises(QuotaError, match="in use elsewhere"):
            backend.remove_group(group)
        assert (elsewhere / "a" / "note").read_text() == "kept"
    finally:
        unmount_all(elsewhere)
    backend.remove_group(group)
    assert list(backend.root.iterdir()) == []


def test_a_damaged_image_is_an_error_that_names_it(backend, group):
    unmount_all(backend.root)
    (backend.root / "service.img").write_bytes(b"no file system" * 100_000)
    with pytest.raises(QuotaError, match="e2fsck"):
        backend.make_group(group)


def test_an_image_that_was_half_made_is_made_anew(backend):
    group = Group(backend.root / "service")
    (backend.root / "service.new").write_bytes(bytes(1000))
    backend.make_group(group)
    backend.set_limit(group, LIMIT)
    assert backend.keeps(group, LIMIT)
    assert sorted(path.name for path in backend.root.iterdir()) == ["service", "service.img"]


def test_an_image_that_was_half_made_goes_with_its_group(backend):
    group = Group(backend.root / "service")
    (backend.root / "service.new").write_bytes(bytes(1000))
    backend.make_group(group)
    backend.remove_group(group)
    assert list(backend.root.iterdir()) == []


def test_what_a_probe_has_left_that_was_killed_is_removed_and_nothing_else(backend, group):
    left = Group(backend.root / ".probe-1")
    backend.set_limit(left, MIB)
    backend.make_folder(left, "a")
    (backend.root / ".probe-2").mkdir()
    (backend.root / ".probe-2.new").write_bytes(bytes(1000))
    clean_up(backend.root)
    assert sorted(path.name for path in backend.root.iterdir()) == ["service", "service.img"]
    assert (group.path / "a").is_dir()
    assert str(backend.root / ".probe") not in run("losetup", "--list").stdout


def test_a_disk_without_room_for_the_image_is_told_before_anything_is_made(tmp_path):
    with mounted(tmp_path, "ext4", size=16 * MIB) as small:
        backend = LoopImage(root=small)
        with pytest.raises(QuotaError, match=r"cannot reserve .* the disk is full"):
            backend.set_limit(Group(small / "service"), 64 * MIB)
        assert [path.name for path in small.iterdir()] == ["lost+found"]


def test_a_group_is_removed_with_its_image_and_loop_device(backend, group):
    for _ in range(2):
        backend.remove_folder(group, "a")
    for _ in range(2):
        backend.remove_group(group)
    assert list(backend.root.iterdir()) == []
    assert str(backend.root) not in run("losetup", "--list").stdout
