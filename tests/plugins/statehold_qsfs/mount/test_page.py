"""What docs/qsfs.md shows of mounts happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import qsfs_mounts

ROOT = Path(__file__).parents[4]


def test_the_page_shows_what_happens(tmp_path):
    qsfs_mounts.needed()
    sys.path.insert(0, str(ROOT / "tests" / "docs"))
    try:
        from _pages import blocks, commands, matches
    finally:
        sys.path.pop(0)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
    shown = [block for block in blocks(ROOT / "docs" / "qsfs.md") if block.mark == "mounted"]
    assert shown
    try:
        for block in shown:
            for command in commands(block):
                done = subprocess.run(
                    ["bash", "-c", command.text],
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    timeout=qsfs_mounts.PATIENCE,
                )
                said = f"$ {command.text}\n{done.stdout}"
                got = "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n")
                assert done.returncode == command.code, said
                assert not command.output or matches(command.output, got), said
    finally:
        if qsfs_mounts.is_mounted(tmp_path / "point"):
            qsfs_mounts.qsfs("umount", "--lazy", tmp_path / "point", check=False)
