from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def need(program: str) -> None:
    """Skip, with a reason, where a program of redis is not there and cannot be installed."""
    # One at a time: several processes share a test run, and apt-get refuses a second one.
    with (Path(tempfile.gettempdir()) / f"statehold-redis-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which(program) is None:
            _install()
    if shutil.which(program) is None:
        pytest.skip(f"no {program} found, and only root on Debian can install one here")


def _install() -> None:
    if os.getuid() != 0 or not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    wait = ("-o", "DPkg::Lock::Timeout=120")
    for command in (("update", "-q"), ("install", "-q", "-y", "--no-install-recommends", "redis-tools")):
        try:
            subprocess.run(
                ["apt-get", *wait, *command], env=environment, capture_output=True, timeout=300, check=False
            )
        except subprocess.TimeoutExpired:
            return
