from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zos_ledger_worker
from zos_ledger_worker import Worker, furnish, settle_all

from statehold_zos.ledger import Ledger


def _eight_processes(folder: Path, *, kills: int, steps: int) -> None:
    """Let eight processes use a ledger, and kill one of them each time that so many steps were done."""
    furnish(folder)
    chance = random.Random(kills)
    children: list[int] = []
    done = killed = 0
    with subprocess.Popen(
        [sys.executable, zos_ledger_worker.__file__, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        try:
            for seed in range(8):
                print(seed, file=nursery.stdin, flush=True)
            for line in nursery.stdout:
                word, _, rest = line.partition(" ")
                assert word.strip() != "failed:", rest
                if word == "child":
                    children.append(int(rest))
                done += word.strip() == "step"
                if killed < kills and len(children) == 8 and done >= steps:
                    os.kill(children.pop(chance.randrange(8)), signal.SIGKILL)
                    killed, done = killed + 1, 0
                    if killed < kills:
                        print(1000 + killed, file=nursery.stdin, flush=True)
                    else:
                        nursery.stdin.close()
            assert killed == kills
        finally:
            if nursery.poll() is None:
                nursery.stdin.close()
                os.killpg(nursery.pid, signal.SIGKILL)
    settle_all(folder)


def test_eight_threads_and_one_ledger_agree(tmp_path: Path) -> None:
    furnish(tmp_path)
    with Ledger(tmp_path) as ledger, ThreadPoolExecutor(8) as threads:

        def use(seed: int) -> None:
            worker = Worker(tmp_path, ledger, seed)
            for _ in range(20):
                worker.step()

        list(threads.map(use, range(8)))
    settle_all(tmp_path)


def test_eight_processes_of_which_some_are_killed_agree(tmp_path: Path) -> None:
    _eight_processes(tmp_path, kills=8, steps=20)


@pytest.mark.soak
def test_eight_processes_agree_after_200_were_killed(tmp_path: Path) -> None:
    _eight_processes(tmp_path, kills=200, steps=40)
