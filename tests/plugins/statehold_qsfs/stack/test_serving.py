"""`statehold qsfs serve` and `restore`, as somebody runs them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import qsfs_mounts
from qsfs_stacks import LIMIT, bring_back, config, take_away, until

COMMAND = [sys.executable, "-m", "statehold", "qsfs"]
DATA = bytes(range(256)) * 4096


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    qsfs_mounts.needed()


class Served:
    """The process that serves the files of `machine.toml`."""

    def __init__(self, folder: Path) -> None:
        self.point = folder / "point"
        self.point.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *COMMAND, "serve", str(folder / "machine.toml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        assert self.process.stdout is not None
        while "is mounted at" not in self.said:
            assert select.select([self.process.stdout], [], [], LIMIT)[0], self.said
            line = self.process.stdout.readline()
            self.said += line
            assert line, self.said

    def stop(self, *, waits: bool = True) -> str:
        """Have it unmounted; return what it says in the end. Unless it *waits*, a second signal is sent."""
        self.process.send_signal(signal.SIGTERM)
        if not waits:
            until(lambda: not os.path.ismount(self.point))
            until(self._hears)
        said, _ = self.process.communicate(timeout=2 * LIMIT)
        # Where nobody waits the last signal may find a process that has just let go of them.
        assert self.process.returncode == 0 or (not waits and self.process.returncode == -signal.SIGTERM)
        return said

    def _hears(self) -> bool:
        """Send it one more signal; whether it has ended."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.5)
        return self.process.poll() is not None

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        self.process.kill()
        self.process.communicate()
        if os.path.ismount(self.point):
            subprocess.run(["fusermount3", "-u", "-z", str(self.point)], check=False)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Served]:
    it = Served(folder)
    try:
        yield it
    finally:
        it.end()


def write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def shown(point: Path) -> str:
    return subprocess.run(
        [*COMMAND, "status", str(point)], capture_output=True, text=True, timeout=LIMIT, check=True
    ).stdout


def restored(folder: Path) -> dict[str, object]:
    done = subprocess.run(
        [*COMMAND, "restore", "--json", str(folder / "machine.toml")],
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_machine_that_is_lost_is_restored_by_its_configuration_alone(tmp_path):
    config(tmp_path, fsync="quorum")
    with (tmp_path / "machine.toml").open("a") as file:
        file.write('[mount]\npoint = "point"\n')
    with served(tmp_path) as first:
        write(first.point / "synced", DATA)
        status = json.loads(os.getxattr(first.point, "user.qsfs.status"))
        assert status["protection"]["pending_bytes"] == 0
        assert "everything is in the store" in shown(first.point)
        first.process.kill()
        first.process.wait()
    shutil.rmtree(tmp_path / "machine")
    assert restored(tmp_path)["epoch"] == 2
    with served(tmp_path) as second:
        assert (second.point / "synced").read_bytes() == DATA
        take_away(tmp_path, 2)
        (second.point / "waits").write_bytes(DATA)
        assert "sent after the next start" in second.stop(waits=False)
    bring_back(tmp_path, 2)
    with served(tmp_path) as third:
        assert (third.point / "waits").read_bytes() == DATA
        assert "sent after" not in third.stop()
    shutil.rmtree(tmp_path / "machine")
    restored(tmp_path)
    with served(tmp_path) as fourth:
        assert (fourth.point / "waits").read_bytes() == DATA


def test_without_a_mount_point_nothing_is_served(tmp_path):
    config(tmp_path)
    done = subprocess.run(
        [*COMMAND, "serve", str(tmp_path / "machine.toml")],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 1
    assert "mount.point: expected a folder" in done.stdout + done.stderr
