"""kill -9 at any moment and an empty disk: each file is as it was when its last sync returned, or newer."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import qsfs_writer
from qsfs_stacks import config, read

from statehold_qsfs.stack import Stack, restore_stack

HERE = Path(__file__).parent


def lose_again_and_again(folder: Path, rounds: int) -> None:
    chance = random.Random(6)
    described = config(folder, fsync="quorum", window=1.0)
    synced: dict[int, int] = {}
    last = 0
    for _ in range(rounds):
        writer = subprocess.Popen(
            [sys.executable, str(HERE / "qsfs_writer.py"), str(folder / "machine.toml"), str(last)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert writer.stdout is not None
            said = [writer.stdout.readline()]
            time.sleep(chance.random() ** 2)
            writer.kill()
            said += writer.stdout.readlines()
            writer.stdout.close()
        finally:
            writer.kill()
            writer.wait()
        for line in said:
            assert line.endswith("\n")
            last = int(line)
            synced[last % qsfs_writer.FILES] = said_last = last
        shutil.rmtree(folder / "machine")
        restore_stack(described)
        with Stack(described) as again:
            for number, step in synced.items():
                data = read(again.files, f"/{number}")
                if not data:  # it was about to be written anew
                    assert number == (said_last + 1) % qsfs_writer.FILES
                    continue
                assert qsfs_writer.step_of(data) >= step
                last = max(last, qsfs_writer.step_of(data))
            assert not again.files.check(deep=True).problems


def test_no_machine_that_is_lost_takes_with_it_what_a_sync_has_acknowledged(tmp_path):
    lose_again_and_again(tmp_path, 2)


@pytest.mark.soak
def test_none_of_200_machines_that_are_lost_takes_with_it_what_a_sync_has_acknowledged(tmp_path):
    lose_again_and_again(tmp_path, 200)
