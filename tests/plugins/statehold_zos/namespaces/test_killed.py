"""Whoever makes, changes or deletes a namespace may be killed at any line of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zos_kills
import zos_other_zdb


def kills(folder: Path, stride: int, first: int, zdb: Path | None = None) -> int:
    words = [sys.executable, zos_kills.__file__, folder, str(stride), str(first)]
    done = subprocess.run([*words, *([zdb] if zdb else [])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_namespace_is_never_open_and_all_agrees_wherever_its_maker_is_killed(tmp_path: Path) -> None:
    assert kills(tmp_path, 120, 17) > 4


def test_the_same_holds_with_a_0_db_that_is_told_one_thing_after_another(tmp_path: Path) -> None:
    assert kills(tmp_path, 200, 31, zos_other_zdb.binary(tmp_path)) > 2


@pytest.mark.soak
@pytest.mark.parametrize("other", [False, True])
def test_at_every_line(tmp_path: Path, *, other: bool) -> None:
    assert kills(tmp_path, 1, 1, zos_other_zdb.binary(tmp_path) if other else None) > 500
