from __future__ import annotations

from pathlib import Path

import pytest
from qsfs_host import Pair
from qsfs_stores_of_files import Store, dump


def run(store: Store, folder: Path, *, seed: int, steps: int) -> None:
    """Do random things; commit, close, crash and compact in between, and compare all."""
    folder.mkdir()
    options = {"cached_nodes": 8, "dirty_limit": 2 * 1024 * 1024}
    pair = Pair(store.open(**options), folder, seed)
    try:
        for i in range(steps):
            pair.step()
            chance = pair.random.random()
            if chance < 0.02:
                pair.files.sync()
            elif chance < 0.025:
                with pair.files._parts.lock:
                    pair.files._parts.volume.trim()
            elif chance < 0.03:
                pair.compare()
            elif chance < 0.034:
                pair.release_all()
                pair.files = store.reopen(**options)
                pair.log.append("reopened")
            elif chance < 0.038:
                pair.release_all()
                pair.files.sync()
                before = dump(pair.files)
                pair.files.mkdir("/never-synced", 0o700)
                pair.files = store.crash(**options)
                assert dump(pair.files) == before
                pair.log.append("crashed")
            elif chance < 0.04:
                pair.files.compact()
            if i % 400 == 399:
                report = pair.files.check(deep=True)
                assert not report.problems, report
        pair.release_all()
        pair.compare()
        report = pair.files.check(deep=True)
        assert not report.problems, report
        assert report.unused_blocks == 0
    except BaseException:
        print("\n".join(pair.log[-60:]))  # what led there
        raise
    finally:
        pair.release_all()


@pytest.mark.parametrize("seed", range(3))
def test_random_operations_give_what_the_host_gives(store: Store, tmp_path: Path, seed: int) -> None:
    run(store, tmp_path / "host", seed=seed, steps=500)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_random_operations_give_what_the_host_gives(store: Store, tmp_path: Path, seed: int) -> None:
    run(store, tmp_path / "host", seed=seed, steps=5000)
