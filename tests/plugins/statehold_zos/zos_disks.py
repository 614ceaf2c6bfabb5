"""Disks of our own for tests: image files below the folder of the test, undone also when it fails."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import debian
import file_systems
import pytest

from statehold_zos.disks import _btrfs
from statehold_zos.model import Config, DiskType, Image, Plain, Policy, Raid

MIB = 2**20
SIZE = 256 * MIB


@pytest.fixture
def four_disks(tmp_path: Path) -> Iterator[Config]:
    """Four images that are not made yet, two called SSDs and two HDDs; one pool of btrfs for each disk."""
    with four_disks_in(tmp_path) as config:
        yield config


@pytest.fixture
def two_mirrors(four_disks: Config) -> Config:
    """The same, for two pools of two disks that hold the same: one of SSDs and one of HDDs."""
    return attrs.evolve(four_disks, policy=Policy(raid=Raid.RAID1, disks=2))


@pytest.fixture
def folders(tmp_path: Path) -> Config:
    """Two folders, one called an SSD and one an HDD: what there is without root and without btrfs."""
    return folders_in(tmp_path)


def folders_in(folder: Path, *, size: int = SIZE) -> Config:
    """Return the configuration of two plain folders below *folder*."""
    fast, slow = folder / "fast", folder / "slow"
    return Config(
        folder=folder / "node",
        plain=(Plain(path=fast, size=size), Plain(path=slow, size=size)),
        types={str(fast): DiskType.SSD, str(slow): DiskType.HDD},
    )


@contextlib.contextmanager
def four_disks_in(folder: Path, *, sizes: tuple[int, ...] = (SIZE,) * 4) -> Iterator[Config]:
    """Yield the configuration of images below *folder*, the first half SSDs; undo all that stood on them.

    Skips where nothing can be mounted, or btrfs is not there. For fixtures of a module, `tmp_path_factory`
    gives the folder.
    """
    file_systems.root_and_loops()
    debian.need("mkfs.btrfs", "btrfs-progs")
    debian.need("wipefs", "util-linux")
    names = [folder / f"disk{number}.img" for number in range(len(sizes))]
    half = len(names) // 2
    types = {str(name): DiskType.SSD if number < half else DiskType.HDD for number, name in enumerate(names)}
    try:
        yield Config(
            folder=folder / "node",
            images=tuple(Image(path=name, size=size) for name, size in zip(names, sizes, strict=True)),
            types=types,
        )
    finally:
        undo(folder)


def undo(*folders: Path) -> None:
    """Unmount what is mounted below *folders*, and let go all loop devices whose files were there."""
    devices = [device for folder in folders for device in loops_of(folder)]
    for folder in folders:
        file_systems.unmount_all(folder)
    # A mirror that lacks one of them now would keep its number from those who get it next.
    _btrfs.forget(devices)
    for device in {device for folder in folders for device in loops_of(folder)}:
        subprocess.run(["losetup", "--detach", device], check=False, env={"PATH": debian.PATH}, timeout=60)


def loops_of(folder: Path) -> list[str]:
    """Return the loop devices whose files are, or were, below *folder*."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # let go meanwhile
            if Path(backing.read_text().strip()).is_relative_to(folder):
                found.append(f"/dev/{backing.parents[1].name}")
    return found


def contents(image: Path) -> dict[int, bytes]:
    """Return what is in an image, but not its holes and zeros: by pages."""
    found = {}
    with image.open("rb") as file:
        place, size = 0, file.seek(0, os.SEEK_END)
        while place < size:
            try:
                place = os.lseek(file.fileno(), place, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            end = os.lseek(file.fileno(), place, os.SEEK_HOLE)
            for page in range(place, end, 4096):
                if any(held := os.pread(file.fileno(), 4096, page)):
                    found[page] = held
            place = end
    return found


def restart(config: Config) -> None:
    """Leave the disks as a restart of the machine leaves them: nothing mounted, no loop device."""
    undo(config.folder, *{image.path.parent for image in config.images})
