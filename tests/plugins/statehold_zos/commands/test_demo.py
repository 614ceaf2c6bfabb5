"""`statehold zos demo`, as somebody runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import debian
import file_systems
import psutil
import pytest

LIMIT = 400
DEMO = [sys.executable, "-m", "statehold", "zos", "demo", "--json"]
TITLES = [
    "Four disks",
    "Prepare",
    "To the last byte",
    "Larger, smaller, given back",
    "A key-value store",
    "Disks are pulled",
    "The disks are back",
    "Wipe",
]


def without_root() -> list[str]:
    """Return what runs the demo as somebody who is not root."""
    nobody = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if os.geteuid() != 0:
        return DEMO
    if shutil.which("unshare") is None:
        return [*DEMO, "--plain"]
    if subprocess.run([*nobody, "true"], check=False, capture_output=True, timeout=LIMIT).returncode:
        return [*DEMO, "--plain"]
    return [*nobody, *DEMO]


@pytest.mark.parametrize("kind", ["without root", pytest.param("btrfs", marks=pytest.mark.soak)])
def test_the_story_comes_to_its_end_and_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    if kind == "btrfs":
        file_systems.root_and_loops()
        debian.need("mkfs.btrfs", "btrfs-progs")
    words = DEMO if kind == "btrfs" else without_root()
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT, env=environ, check=False)
    told = json.loads(done.stdout)
    assert (told["ok"], done.returncode, done.stderr) == (True, 0, ""), told
    assert [step["title"] for step in told["steps"]] == TITLES
    assert all(step["notes"] for step in told["steps"])
    assert ("advisory" in told["limits"]) is (kind != "btrfs")
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    found = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"])]
    assert not [words for words in found if str(tmp_path) in str(words)]
