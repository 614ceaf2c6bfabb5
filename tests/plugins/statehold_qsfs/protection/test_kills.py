"""kill -9 at any moment, with the disk or without it: what a barrier has acknowledged is there."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import qsfs_victim
from qsfs_stores import LIMIT, FolderStore

from statehold_qsfs.protection import restore

HERE = Path(__file__).parent


def start(folder: Path, store: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE / "qsfs_victim.py"), str(folder), str(store), *words],
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(victim: subprocess.Popen[str], chance: random.Random) -> int:
    """Kill it some time after its first barrier; return the last step that it has acknowledged."""
    assert victim.stdout is not None
    acknowledged = int(victim.stdout.readline())
    time.sleep(chance.random() ** 3 * 0.8)
    victim.kill()
    for line in victim.stdout:
        if line.endswith("\n"):
            acknowledged = int(line)
    victim.stdout.close()
    victim.wait()
    return acknowledged


def kill_again_and_again(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(6)
    store, folder = tmp_path / "store", tmp_path / "m0"
    FolderStore(store)
    least = 0
    for number in range(rounds):
        victim = start(folder, store)
        try:
            least = max(least, killed(victim, chance))
        finally:
            victim.kill()
            victim.wait()
        if number % 3 != 2:
            shutil.rmtree(folder)
            folder = tmp_path / f"m{number + 1}"
            if number % 4 == 3:
                restoring = start(folder, store, "restore")
                time.sleep(chance.random() * 0.6)
                restoring.kill()
                restoring.communicate()
            if not (folder / "owner").exists() or (folder / "restoring").exists():
                restore(FolderStore(store), folder)
        with qsfs_victim.machine(folder, store) as one:
            least = qsfs_victim.check(one.contents(), least)
            one.protection.barrier(LIMIT)


def test_a_machine_that_is_killed_and_wiped_comes_back_with_all_that_was_acknowledged(tmp_path):
    kill_again_and_again(tmp_path, 3)


@pytest.mark.soak
def test_200_machines_that_are_killed_and_wiped_come_back_with_all_that_was_acknowledged(tmp_path):
    kill_again_and_again(tmp_path, 200)
