"""Those who reserve, resize and release spaces until killed; forked by a process that has all loaded."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Self

from zos_pools import MIB, POOL, Land, backend_of, write

from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskType, NoSpaceError, NotFoundError, RefusedError
from statehold_zos.pools import StoragePools


class Workers:
    """Starts workers, quickly, and kills them."""

    def __init__(self, kind: str, pool: Path, folder: Path) -> None:
        code = f"import sys; sys.path[:0] = {sys.path!r}; import zos_work; zos_work.serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, kind, pool, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.alive: list[int] = []

    def start(self, seed: int) -> None:
        """Start one, and wait until it is at work."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(seed, file=self._process.stdin, flush=True)
        self.alive.append(int(self._process.stdout.readline()))

    def kill(self, index: int) -> None:
        """Kill one, wherever it is, and wait until it is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pid = self.alive.pop(index)
        print(f"kill {pid}", file=self._process.stdin, flush=True)
        assert int(self._process.stdout.readline()) == pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            while self.alive:
                self.kill(0)
        finally:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()  # which ends it
            self._process.wait(60)
            self._process.stdout.close()


def serve() -> None:
    """Start a worker for each seed that is read, and kill those whose numbers are."""
    kind, pool, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    random.seed()
    children = set()
    for line in sys.stdin:
        word = line.split()
        if word[0] == "kill":
            pid = int(word[1])
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            children.discard(pid)
        else:
            read, ready = os.pipe()
            pid = os.fork()
            if not pid:
                _work(kind, pool, folder, int(word[0]), ready)
            os.close(ready)
            os.read(read, 1)
            os.close(read)
            children.add(pid)
        print(pid, flush=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _work(kind: str, pool: Path, folder: Path, seed: int, ready: int) -> None:
    try:
        chance = random.Random(seed)
        land = Land()
        land.put(POOL, pool, backend_of(kind, pool))
        pools = StoragePools(Ledger(folder), land)
        os.write(ready, b".")
        while True:
            with contextlib.suppress(NoSpaceError, NotFoundError, RefusedError):
                _act(pools, chance)
    except BaseException:
        (folder / f"failed-{os.getpid()}").write_text(traceback.format_exc())
        os.write(ready, b".")
    finally:
        os._exit(1)


def _act(pools: StoragePools, chance: random.Random) -> None:
    size = chance.randrange(MIB // 2, 4 * MIB, 4096)
    spaces = pools.list()
    what = chance.random()
    if what < 0.05:
        pools.reconcile()
    elif what < 0.45 or not spaces:
        # Some by names that others use too, with the same size.
        number = chance.randrange(12)
        named = chance.random() < 0.5
        space = pools.reserve(DiskType.SSD, MIB if named else size, name=f"shared-{number}" if named else "")
        write(space.path, chance.randrange(MIB // 4)) if space.path.is_dir() else None
    elif what < 0.7:
        pools.resize(chance.choice(spaces).id, size)
    else:
        pools.release(chance.choice(spaces).id)
