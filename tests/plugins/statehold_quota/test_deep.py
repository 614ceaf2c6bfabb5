"""Folders in folders in folders, as many as a service likes: only itself has the trouble."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from statehold_quota import Accounting, Btrfs, Group, Mode, QuotaError, change_owner, remove_tree

#: More than Python calls itself.
DEEP = 1_500


def dig(folder: Path, depth: int = DEEP) -> None:
    """Make a folder in a folder, and so on, each with a file beside."""
    held = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deeper", dir_fd=held)
        inner = os.open("deeper", os.O_RDONLY, dir_fd=held)
        os.close(held)
        held = inner
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=held))
    os.close(held)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """A group of two folders; what is in it goes in any case, for pytest could not remove it."""
    group = Group(tmp_path / "service")
    for name in ("a", "b"):
        (group.path / name).mkdir(parents=True)
    yield group
    subprocess.run(["rm", "-rf", str(group.path)], check=True)


def test_a_folder_is_removed_however_deep_it_is(group: Group) -> None:
    dig(group.path / "a")
    (group.path / "a/deeper/link").symlink_to(group.path / "b")
    (group.path / "b/kept").write_text("kept")
    Accounting(root=group.path.parent).remove_folder(group, "a")
    assert [each.name for each in group.path.iterdir()] == ["b"]
    assert (group.path / "b/kept").read_text() == "kept"


def test_what_is_wide_and_deep_is_removed(group: Group) -> None:
    for one in range(30):
        for two in range(3):
            (group.path / f"a/{one}/x/{two}/y").mkdir(parents=True)
            (group.path / f"a/{one}/x/{two}/y/file").write_text("gone")
    remove_tree(group.path / "a")
    remove_tree(group.path / "a")
    assert [each.name for each in group.path.iterdir()] == ["b"]


def test_a_file_and_a_link_in_the_place_of_a_folder_are_removed_and_not_followed(group: Group) -> None:
    (group.path / "b/kept").write_text("kept")
    (group.path / "file").write_text("gone")
    (group.path / "link").symlink_to(group.path / "b")
    for name in ("file", "link"):
        remove_tree(group.path / name)
    assert [each.name for each in group.path.iterdir() if each.name not in "ab"] == []
    assert (group.path / "b/kept").exists()


def test_what_lies_too_deep_to_be_counted_is_an_error_that_says_so(group: Group) -> None:
    backend = Accounting(root=group.path.parent)
    dig(group.path / "a", 100)
    assert backend.folder_used(group, "a") > 0
    dig(group.path / "b")
    with pytest.raises(QuotaError, match="its folders lie in each other more than 200 deep"):
        backend.folder_used(group, "b")
    with pytest.raises(OSError, match="more than 200 deep"):
        change_owner(group.path / "b", before=(0, 0), after=(0, 0))


@pytest.mark.parametrize("mode", list(Mode))
def test_on_btrfs_a_deep_folder_is_removed_and_a_deep_one_with_a_subvolume_harms_no_other(
    btrfs: Path, mode: Mode
) -> None:
    backend = Btrfs(root=btrfs, mode=mode, enable=True)
    backend.prepare()
    group = Group(btrfs / "service")
    backend.make_group(group)
    backend.set_limit(group, 64 * 2**20)
    dig(backend.make_folder(group, "deep"))
    if mode is Mode.QGROUP:
        with pytest.raises(QuotaError, match="more than 200 deep"):
            backend.hold(group)
    backend.remove_folder(group, "deep")
    backend.hold(group)
    backend.remove_group(group)
    assert list(btrfs.iterdir()) == []
