"""Mounts for tests: in a process of their own, below tmp_path, undone whatever happens."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from debian import need
from file_systems import own_mounts, run

PATIENCE = 120
_COMMAND = [sys.executable, "-m", "statehold", "qsfs"]


def needed() -> None:
    """Skip the test where nothing can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount in the tests")
    if not Path("/dev/fuse").exists():
        pytest.skip("there is no /dev/fuse here")
    if importlib.util.find_spec("mfusepy") is None:
        pytest.skip("mfusepy is not installed: pip install 'statehold[qsfs]'")
    need("fusermount3", "fuse3")
    own_mounts()


class Mount:
    """A store, where it is mounted, and the process that answers for it."""

    def __init__(self, folder: Path):
        self.store, self.point = folder / "store", folder / "point"
        self.point.mkdir(exist_ok=True)
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: object) -> None:
        """Mount it, and return when it can be used."""
        words = [*_COMMAND, "mount", str(self.store), str(self.point), *map(str, options)]
        # Ended by the system, should the test run be killed.
        leash = ["setpriv", "--pdeathsig", "KILL", "--"]
        self.process = subprocess.Popen(
            [*leash, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
        )
        assert self.process.stdout is not None
        said = []
        limit = threading.Timer(PATIENCE, self.process.kill)
        limit.start()
        try:
            for line in self.process.stdout:
                said.append(line)
                if "is mounted at" in line:
                    return
        finally:
            limit.cancel()
            limit.join()
        raise AssertionError(f"it does not mount: {''.join(said)}")

    def kill(self) -> None:
        """Have its process killed."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)

    def stop(self) -> None:
        """Have it unmounted, and wait for the end of its process."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            said, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        assert self.process.returncode == 0, said

    def undo(self) -> None:
        """Leave nothing, whatever has happened."""
        if self.process is not None and self.process.returncode is None:
            self.kill()
        while is_mounted(self.point):
            run("umount", "--lazy", "--no-canonicalize", self.point)


@contextlib.contextmanager
def mounted(folder: Path, *options: object) -> Iterator[Mount]:
    """Mount a new store below a folder."""
    needed()
    mount = Mount(folder)
    try:
        mount.start(*options)
        yield mount
        mount.stop()
    finally:
        mount.undo()


def is_mounted(point: Path) -> bool:
    """Whether something is mounted at a folder."""
    lines = Path("/proc/thread-self/mountinfo").read_text().splitlines()
    return any(line.split(" ")[4] == str(point) for line in lines)


@attrs.frozen
class Said:
    returncode: int
    stdout: str
    stderr: str


def qsfs(*words: object, check: bool = True) -> Said:
    """Run `statehold qsfs` in this process: starting another one takes longer than most of what it does."""
    from statehold.cli import run as run_statehold

    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        code = run_statehold(["qsfs", *map(str, words)])
    assert not check or code == 0, complained.getvalue()
    return Said(code, said.getvalue(), complained.getvalue())


def apart(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `statehold qsfs` in a process of its own."""
    command = [*_COMMAND, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd="/")


def wait_until(condition, *, seconds: float = PATIENCE) -> None:
    """Return when *condition* holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
