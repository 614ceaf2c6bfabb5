from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import debian
import file_systems

MIB = 2**20


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    """A new btrfs without quotas, or a skip that says why there is none."""
    file_systems.root_and_loops()
    debian.need("mkfs.btrfs", "btrfs-progs")
    with file_systems.mounted(tmp_path, "btrfs", size=256 * MIB) as point:
        yield point


@pytest.fixture
def loop_root(tmp_path: Path) -> Iterator[Path]:
    """A folder for loop images; what is mounted under it is unmounted."""
    file_systems.root_and_loops()
    folder = tmp_path / "images"
    folder.mkdir(mode=0o755)
    yield folder
    file_systems.unmount_all(folder)
