"""However large an object is, a few blocks of it are in memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from zstor_worlds import table_of

MIB = 2**20

# Stores and retrieves so many MiB, and says how much memory was the most that it took.
RUN = """
import hashlib, json, os, sys
from pathlib import Path
from statehold_zstor.config import Config
from statehold_zstor.objects import Zstor

table, folder, count = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
piece = os.urandom(2**20)
before = hashlib.blake2b()
with open(folder / "large", "wb") as file:
    for number in range(count):
        data = number.to_bytes(8, "little") + piece[8:]
        before.update(data)
        file.write(data)
with Zstor(Config.of(table, folder=folder)) as zstor:
    zstor.store("large", folder / "large")
    (folder / "large").unlink()
    zstor.retrieve("large", folder / "back")
    assert zstor.read("large", (count - 1) * 2**20, 8) == (count - 1).to_bytes(8, "little")
after = hashlib.blake2b()
with open(folder / "back", "rb") as file:
    while data := file.read(2**20):
        after.update(data)
assert before.digest() == after.digest()
# Not ru_maxrss, which has that of the process before `exec`, too.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def most_memory(folder: Path, count: int) -> int:
    for name in [*(f"data{number}" for number in range(20)), *(f"meta{number}" for number in range(4))]:
        (folder / name).mkdir()
    table = table_of(
        k=16,
        n=20,
        groups=(20,),
        block=MIB,
        urls=lambda n: f"file:data{n}",
        meta_urls=lambda n: f"file:meta{n}",
    )
    command = [sys.executable, "-c", RUN, json.dumps(table), str(folder), str(count)]
    try:
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) * 1024
    finally:
        shutil.rmtree(folder)  # pytest would keep it


@pytest.mark.soak
def test_1_gib_takes_less_than_200_mib(tmp_path: Path) -> None:
    """16 of 20 shards, blocks of 1 MiB."""
    assert most_memory(tmp_path, 1024) < 200 * MIB


def test_40_mib_take_less_than_200_mib(tmp_path: Path) -> None:
    """What takes several copies of the whole takes more."""
    assert most_memory(tmp_path, 40) < 200 * MIB
