"""`statehold qsfs demo`, as somebody runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

LIMIT = 400
DEMO = [sys.executable, "-m", "statehold", "qsfs", "demo", "--json"]


def wait_for(seen: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.05)


def has_ended(process: psutil.Process) -> bool:
    """Return whether it runs no more, also where nobody asks how it ended."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "PYTHONWARNINGS": "error"}


def test_the_story_comes_to_its_end_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        DEMO, capture_output=True, text=True, timeout=LIMIT, env=environ(tmp_path), check=False
    )
    told = json.loads(done.stdout)
    assert (told["ok"], done.returncode, done.stderr) == (True, 0, ""), told
    assert [step["title"] for step in told["steps"]] == [
        "Seven stores in three places",
        "Write",
        "Ghent burns down",
        "Ghent is rebuilt",
        "Disks rot",
        "The machine is gone",
    ]
    assert all(step["notes"] for step in told["steps"])
    assert list(tmp_path.iterdir()) == []
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(each.info["cmdline"])
    ]


def test_the_stores_end_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        DEMO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ(tmp_path)
    ) as demo:
        try:
            children = psutil.Process(demo.pid).children
            wait_for(lambda: demo.poll() is not None or len(children()) == 7)
            stores = children()
        finally:
            demo.kill()
    assert len(stores) == 7
    wait_for(lambda: all(map(has_ended, stores)))


def test_a_demo_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        DEMO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ(tmp_path)
    ) as demo:
        try:
            children = psutil.Process(demo.pid).children
            wait_for(lambda: demo.poll() is not None or len(children()) == 7)
            stores = children()
            demo.terminate()
            assert demo.wait(LIMIT) == 130  # as after Ctrl-C
        finally:
            demo.kill()
    assert len(stores) == 7
    assert all(map(has_ended, stores))
    assert list(tmp_path.iterdir()) == []
