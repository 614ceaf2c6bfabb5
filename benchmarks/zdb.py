"""What the engine of 0-db costs against what it stands on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import timeit
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from benchmarks._disk import beside_syncs
from benchmarks._measure import Row, against
from statehold_zdb.engine import Durability, Engine, EngineOptions

GETS = 20_000
WRITERS = 16
#: By each of them: so many that what it costs to start a thread does not count.
WRITES = 200
KEYS = 1_000_000
MIB = 1024 * 1024

# Fills a folder and is killed, or opens it and says in how many seconds, and what it then takes.
FILL = """
import os, sys
from pathlib import Path
from statehold_zdb.engine import Durability, Engine, EngineOptions
folder, keys = Path(sys.argv[1]), int(sys.argv[2])
options = EngineOptions(durability=Durability.parse("relaxed:0.5"))
namespace = Engine(folder / "data", folder / "index", options=options)["default"]
for i in range(0, keys, 1000):
    names = [b"%010d" % n for n in range(i, i + 1000)]
    assert namespace.stage_run(names, [b"x" * 100] * 1000)
    namespace.flush()
print("filled", flush=True)
sys.stdin.read()
"""
OPEN = """
import sys, time
from pathlib import Path
from statehold_zdb.engine import Engine
folder = Path(sys.argv[1])
start = time.perf_counter()
engine = Engine(folder / "data", folder / "index")
seconds = time.perf_counter() - start
assert len(engine["default"]) == int(sys.argv[2]) and engine["default"].get(b"%010d" % 7) == b"x" * 100
memory = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(seconds, memory.split()[1])
engine.close()
"""


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    for page in (_get, _group_commit):
        # Not in /tmp, which may be memory: the figure is about the disk.
        with tempfile.TemporaryDirectory(dir="build") as folder:
            yield page(Path(folder))
    with tempfile.TemporaryDirectory(dir="build") as folder:
        yield from _a_million_keys(Path(folder))


def _get(folder: Path) -> Row:
    options = EngineOptions(durability=Durability.parse("relaxed"))
    with Engine(folder / "data", folder / "index", options=options) as engine:
        namespace = engine["default"]
        keys = [b"key:%012d" % i for i in range(GETS)]
        namespace.write([(key, os.urandom(100)) for key in keys])
        random.Random(1).shuffle(keys)
        raw = folder / "raw"
        raw.write_bytes(os.urandom(160 * GETS))
        table = {key: 160 * i for i, key in enumerate(keys)}
        fd = os.open(raw, os.O_RDONLY)

        def gets() -> float:
            get = namespace.get
            start = timeit.default_timer()
            for key in keys:
                get(key)
            return (timeit.default_timer() - start) / GETS

        def floor() -> float:
            start = timeit.default_timer()
            for key in keys:
                crc32(os.pread(fd, 160, table[key]))
            return (timeit.default_timer() - start) / GETS

        row = against(
            "0-db GET in process, 100 B",
            gets,
            floor,
            limit_name="dict, pread and crc32 of as many bytes",
            bar=2.5,
        )
        os.close(fd)
        return row


def _group_commit(folder: Path) -> Row:
    options = EngineOptions(durability=Durability.parse("group"))
    numbers = iter(range(10**9))
    with Engine(folder / "data", folder / "index", options=options) as engine:
        namespace = engine["default"]

        def write(name: bytes) -> None:
            for i in range(WRITES):
                namespace.set(b"%b-%d" % (name, i), b"x" * 100)

        def together() -> float:
            turn = next(numbers)
            threads = [threading.Thread(target=write, args=(b"%d-%d" % (turn, i),)) for i in range(WRITERS)]
            start = timeit.default_timer()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return (timeit.default_timer() - start) / (WRITERS * WRITES)

        name = f"0-db durable SET, {WRITERS} writers, one sync for all who wait"
        return beside_syncs(name, together, folder / "floor", times=WRITES)


def _a_million_keys(folder: Path) -> Iterator[Row]:
    with subprocess.Popen(
        [sys.executable, "-c", FILL, folder, str(KEYS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as filling:
        assert filling.stdout is not None
        assert filling.stdout.readline() == "filled\n"
        filling.send_signal(signal.SIGKILL)
    for what in ("after kill -9", "after a close"):
        done = subprocess.run(
            [sys.executable, "-c", OPEN, folder, str(KEYS)], capture_output=True, text=True, check=True
        )
        seconds, kib = map(float, done.stdout.split())
        memory = kib * 1024 / MIB
        yield _bar(f"0-db with 1,000,000 keys: start {what}", "s", seconds, 2, "the original 1.5 s")
        yield _bar(f"0-db with 1,000,000 keys: memory {what}", "MiB", memory, 200, "the original 252 MiB")


def _bar(name: str, unit: str, measured: float, limit: float, beside: str) -> Row:
    return Row(
        name=name,
        limit_name=f"{limit:g} {unit}; {beside}",
        unit=unit,
        measured=measured,
        limit=limit,
        ratio=measured / limit,
        bar=1.0,
    )
