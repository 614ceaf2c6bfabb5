"""Eight processes reserve, resize and release namespaces at once, and are killed at any moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zos_crowd


def storm(folder: Path, kills: int, moves: int) -> None:
    words = [sys.executable, zos_crowd.__file__, folder, str(kills), str(moves)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_namespaces_servers_and_folders_agree_after_all_that_and_no_process_is_left(tmp_path: Path) -> None:
    storm(tmp_path, 4, 2)


@pytest.mark.soak
def test_they_agree_after_two_hundred_kills(tmp_path: Path) -> None:
    storm(tmp_path, 200, 5)
