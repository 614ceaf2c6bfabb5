from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import partitioned
import pytest


def test_what_is_cut_off_the_network_while_objects_are_stored_restored_and_repaired_loses_nothing(
    tmp_path: Path,
) -> None:
    """In a network of its own, of which a process sees the one end and the backends the other."""
    done = subprocess.run(
        [sys.executable, partitioned.__file__, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode == partitioned.MAY_NOT:
        pytest.skip(f"no network of its own: {done.stdout.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
