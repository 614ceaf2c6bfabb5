from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from statehold.sdk import Field
from statehold.testing import OpenStorage, open_storage
from statehold_dataset import provider

KEY = [Field("Batch", "int64", required=True), Field("Row", "int64", required=True)]
VALUE = [Field("Data", "bytes")]
ROWS = 20

# Writes batches, and says a batch's number when `apply_batch` has returned.
WRITER = textwrap.dedent(
    """
    import os, resource, sys
    from pathlib import Path
    from statehold.sdk import Field, StorageError
    from statehold.testing import open_storage
    from statehold_dataset import provider

    folder, first, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    key = [Field("Batch", "int64", required=True), Field("Row", "int64", required=True)]
    with open_storage(provider, key=key, value=[Field("Data", "bytes")], data_folder=folder) as opened:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        for number in range(first, first + 100_000):
            rows = [
                opened.facade.insert(opened.key(1, Batch=number, Row=row), {"Data": os.urandom(500)})
                for row in range(20)
            ]
            try:
                opened.storage.apply_batch(rows)
            except StorageError as error:
                print("refused", error, flush=True)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
                opened.storage.apply_batch(rows[:1])
                break
            print(number, flush=True)
    """
)


def writer(folder: Path, first: int, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first), str(limit)],
        stdout=subprocess.PIPE,
        text=True,
    )


def batches(opened: OpenStorage) -> dict[int, int]:
    found: dict[int, int] = {}
    for key, _ in opened.facade.read(opened.prefix(1)):
        found[key.Batch] = found.get(key.Batch, 0) + 1
    return found


def kill_while_it_writes(folder: Path, rounds: int) -> None:
    said: set[int] = set()
    draw = random.Random(rounds)
    for number in range(rounds):
        with writer(folder, number * 100_000) as process:
            assert process.stdout is not None
            for _ in range(draw.randint(1, 60)):
                said.add(int(process.stdout.readline()))
            process.kill()
            # What it said before it died counts, too.
            said.update(int(line) for line in process.stdout.read().splitlines())
        with open_storage(provider, key=KEY, value=VALUE, data_folder=folder) as opened:
            found = batches(opened)
            assert said <= set(found), "a batch that was applied is lost"
            assert set(found.values()) == {ROWS}, "half a batch is there"


def test_kill_9_loses_nothing_that_was_applied_and_leaves_no_half_batch(tmp_path: Path) -> None:
    """Whatever was said to be applied is there again, and every batch is whole or not there."""
    kill_while_it_writes(tmp_path, 3)


@pytest.mark.soak
def test_kill_9_many_times(tmp_path: Path) -> None:
    """The same, 100 times on one file."""
    kill_while_it_writes(tmp_path, 100)


def test_a_file_that_may_not_grow_is_an_error_and_goes_on_when_it_may(tmp_path: Path) -> None:
    """The operating system refuses a write: the batch has not happened, the next one works."""
    with writer(tmp_path, 0, limit=2_000_000) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    said = set(map(int, lines[:-1]))
    assert lines[-1].startswith("refused test.Table: apply failed: ")
    with open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path) as opened:
        found = batches(opened)
    assert found.pop(max(said) + 1) == 1
    assert found == dict.fromkeys(said, ROWS)
