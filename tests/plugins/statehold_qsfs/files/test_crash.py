from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import qsfs_load
from qsfs_stores_of_files import Store, read

#: The versions of a process begin with a multiple of this.
ROUND = 1_000_000


class Killed:
    """Has a process write, and kills it; knows what it has acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, int] = {}
        self.logs: dict[str, int] = {}
        self.version = 0

    def run(self, seed: int) -> None:
        after = random.Random(seed).randrange(1, 60)
        program = [sys.executable, qsfs_load.__file__, str(self.folder), str(self.version), str(seed)]
        with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                for _ in range(after):
                    line = process.stdout.readline()
                    assert line, "the process has ended by itself"
                    self.note(line)
            finally:
                process.kill()
            for line in process.stdout:
                if line.endswith(b"\n"):
                    self.note(line)
        self.version += ROUND

    def note(self, line: bytes) -> None:
        kind, name, number = line.decode().split()
        known = self.files if kind == "file" else self.logs
        known[name] = int(number)

    def look(self, store: Store) -> None:
        """What was acknowledged is there, in this version or a later one, and nothing is torn."""
        files = store.open()
        report = files.check(deep=True)
        assert not report.problems, report
        for name, version in list(self.files.items()):
            found = read(files, name)
            last = self.version - ROUND
            later = [version, *range(max(version, last) + 1, max(version, last) + 1000)]
            there = [each for each in later if found == qsfs_load.contents(name, each)]
            assert there, (name, version)
            self.files[name] = there[0]  # also one that was not acknowledged is durable now
        for name, size in self.logs.items():
            found = read(files, name)
            assert len(found) >= size
            at = 0
            while at < len(found):
                expected = qsfs_load.line(name, at)
                assert found[at : at + len(expected)] == expected
                at += len(expected)
        names = {f"{entry.name}" for n in range(qsfs_load.WRITERS) for entry in self.entries(files, n)}
        assert names <= {f"{name}{end}" for name in self.known() for end in ("", ".new")}
        assert files.statistics().unlinked == 0
        store.close()

    def entries(self, files: object, writer: int) -> list:
        return files.list(f"/w{writer}") if any(e.name == f"w{writer}" for e in files.list("/")) else []

    def known(self) -> list[str]:
        return [*(f"f{n}" for n in range(qsfs_load.FILES)), *(f"scratch{n}" for n in range(3))]


def run(folder: Path, rounds: int) -> None:
    killed = Killed(folder)
    for seed in range(rounds):
        killed.run(seed)
        killed.look(Store(folder, segment=1 << 20))


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    run(tmp_path / "store", 3)


@pytest.mark.soak
def test_what_was_acknowledged_is_there_after_200_kill_9(tmp_path: Path) -> None:
    run(tmp_path / "store", 200)
