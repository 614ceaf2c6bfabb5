from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys

import pytest

from statehold.hosting._lock import FolderLock
from statehold.sdk import HostError

_HOLD = """
import sys
from pathlib import Path
from statehold.hosting._lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def _holder(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_is_free_again_after_release(tmp_path):
    FolderLock(tmp_path).release()
    FolderLock(tmp_path).release()


def test_a_forgotten_lock_is_released_when_it_is_collected(tmp_path):
    FolderLock(tmp_path)
    gc.collect()
    FolderLock(tmp_path).release()


def test_a_second_host_is_told_who_holds_the_folder_and_what_to_do(tmp_path):
    with _holder(tmp_path) as process:
        with pytest.raises(HostError) as raised:
            FolderLock(tmp_path)
        process.stdin.close()
    assert f"process {process.pid}" in raised.value.message
    assert str(tmp_path) in raised.value.message
    assert "Stop that process" in raised.value.hint


def test_a_second_host_of_the_same_process_is_refused_too(tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(HostError, match=f"process {os.getpid()}"):
        FolderLock(tmp_path)
    lock.release()


def test_the_lock_dies_with_its_holder(tmp_path):
    with _holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    FolderLock(tmp_path).release()


def test_a_folder_that_is_not_there_is_a_host_error(tmp_path):
    with pytest.raises(HostError, match="cannot be written"):
        FolderLock(tmp_path / "missing")
