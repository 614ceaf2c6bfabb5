"""What a storage author takes along by importing the SDK."""

from __future__ import annotations

import subprocess
import sys


def test_the_sdk_loads_no_parser_no_server_and_no_other_part_of_the_core() -> None:
    """Seen from a new process, which has loaded nothing else."""
    code = "import sys, statehold.sdk; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {"lark", "dataset", "sqlalchemy", "httpx", "click", "rich", "cachebox", "importlib_metadata"}
    assert heavy.isdisjoint(loaded)
    ours = {name for name in loaded if name.startswith("statehold")}
    allowed = ("statehold.sdk", "statehold_vsql._")
    strangers = {name for name in ours - {"statehold", "statehold_vsql"} if not name.startswith(allowed)}
    assert strangers == set()
    assert "statehold_vsql._compile" not in ours
