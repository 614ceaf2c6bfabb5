from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import qsfs_mounts


@pytest.fixture(scope="module")
def qsfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[qsfs_mounts.Mount]:
    """A filesystem that is mounted, for all tests of a module."""
    with qsfs_mounts.mounted(tmp_path_factory.mktemp("qsfs")) as mount:
        yield mount


@pytest.fixture
def mounted_folder(qsfs: qsfs_mounts.Mount, request: pytest.FixtureRequest) -> Path:
    """A folder of its own on the mount."""
    folder = qsfs.point / f"test-{len(list(qsfs.point.iterdir()))}"
    folder.mkdir()
    return folder
