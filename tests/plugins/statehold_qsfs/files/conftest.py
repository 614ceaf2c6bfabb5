from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from qsfs_stores_of_files import Store

from statehold_qsfs.files import FileSystem


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Folders with an engine and a filesystem, which can be closed, crashed and opened again."""
    made = Store(tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def files(store: Store) -> FileSystem:
    """A filesystem of that store."""
    return store.open()
