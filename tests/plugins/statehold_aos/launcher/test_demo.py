"""`statehold aos demo`, as somebody runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = "/usr/local/bin:/usr/bin:/bin"


def test_the_story_comes_to_its_end_and_leaves_nothing_behind(tmp_path: Path) -> None:
    if shutil.which("python3", path=SERVICES) is None:
        pytest.skip(f"its services need a python3 in {SERVICES}")
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error"}
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "statehold", "aos", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=400,
        env=environ,
        check=False,
    )
    told = json.loads(done.stdout)
    assert (told["ok"], done.returncode, done.stderr) == (True, 0, ""), told
    assert [step["title"] for step in told["steps"]] == [
        "A vehicle",
        "Install",
        "A state goes to the cloud",
        "Rejected, and restored",
        "A tunnel",
        "Update",
        "Another driver",
        "Too much",
        "The end",
    ]
    assert all(step["notes"] for step in told["steps"])
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
