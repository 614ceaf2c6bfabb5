"""Programs of Debian that tests need: installed where they are not there, or the test is skipped."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def need(program: str, package: str) -> None:
    """Skip the test unless a program is there, or can be installed with *package*."""
    if reason := missing(package, lambda: shutil.which(program) or shutil.which(program, path=PATH)):
        pytest.skip(f"no {program}: {reason}")


def missing(package: str, found: Callable[[], object]) -> str | None:
    """Install *package* unless *found* finds what it brings; return why it is not there, or None."""
    if found():
        return None
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        return f"only root on Debian can install {package} here"
    # One at a time: several processes share a test run, and apt-get refuses a second one.
    with (Path(tempfile.gettempdir()) / f"statehold-apt-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found():
            return None
        reason = _install(package)
    return None if found() else f"apt-get cannot install {package}: {reason}"


def _install(package: str) -> str:
    # No server of the system's own is to start: the run level says so.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    said = ""
    for command in (("update", "-q"), ("install", "-q", "-y", "--no-install-recommends", package)):
        try:
            done = subprocess.run(
                ["apt-get", "-o", "DPkg::Lock::Timeout=120", *command],
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {command[0]} took more than 300 s"
        said = done.stderr.strip()[-300:] or "it brings something else"
    return said
