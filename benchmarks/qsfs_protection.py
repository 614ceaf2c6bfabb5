"""What it costs that files outlive their machine, and how much of them would be lost with it."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks._measure import Row, against, timed, within
from statehold_qsfs.files import FileSystem
from statehold_qsfs.protection import ZstorStore
from statehold_qsfs.stack import Stack, StackConfig

SMALL, MIB = 4096, 1024 * 1024
SYNCS = 20
PATIENCE = 60.0


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    # Not in /tmp, which may be memory: the figures are about the disk.
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build") as name:
        folder = Path(name).resolve()
        with Stack(_config(folder, "quorum")) as stack:
            yield _sync(stack)
            yield _evicted(stack)
        with Stack(_config(folder, "local")) as stack:
            yield _window(stack)


def _config(folder: Path, fsync: str) -> StackConfig:
    """Return files on six backends of one disk, of which four suffice."""
    places: dict[str, list[dict[str, str]]] = {}
    for name in ("meta", "data"):
        for number in range(6):
            (folder / f"{name}{number}").mkdir(exist_ok=True)
        places[name] = [{"url": f"file://{folder}/{name}{number}"} for number in range(6)]
    table = {
        "zstor": {
            "minimal_shards": 4,
            "expected_shards": 6,
            "redundant_groups": 0,
            "redundant_nodes": 0,
            "encryption": {"algorithm": "AES", "key": "ab" * 32},
            "compression": {"algorithm": "snappy"},
            "meta": {
                "type": "zdb",
                "config": {
                    "prefix": "bench",
                    "encryption": {"algorithm": "AES", "key": "cd" * 32},
                    "backends": places["meta"],
                },
            },
            "groups": [{"backends": places["data"]}],
        },
        "local": {"folder": "machine", "segment": "4 MiB"},
        "durability": {"fsync": fsync},
    }
    return StackConfig.of(table, folder=folder)


def _sync(stack: Stack) -> Row:
    """Write 4 KiB and sync them by a quorum, again and again; zstor keeps as much, again and again."""
    files, data = stack.files, os.urandom(SMALL)
    handle = files.create("/synced", os.O_RDWR, 0o644)
    place = iter(range(0, 1 << 40, SMALL))

    def syncs() -> None:
        for _ in range(SYNCS):
            files.write(handle, data, next(place))
            files.fsync(handle)

    def stores() -> None:
        for number in range(SYNCS):
            stack.zstor.store(f"floor/{number}", data)

    row = against(
        "qsfs: 4 KiB written and synced by a quorum of 4 of 6",
        lambda: timed(syncs) / SYNCS,
        lambda: timed(stores) / SYNCS,
        limit_name="4 KiB stored by zstor",
        bar=3.0,
        unit="ms",
        rounds=5,
    )
    files.release(handle)
    return row


def _evicted(stack: Stack) -> Row:
    """Read 4 KiB at random places of a file that only the backends have; zstor reads a block of 1 MiB."""
    files, size, numbers = stack.files, 32, random.Random(1)
    _write(files, "/evicted", size)
    end = time.monotonic() + PATIENCE
    while stack.figures().unsealed and time.monotonic() < end:
        time.sleep(0.1)
    namespace = stack.engine["qsfs-data"]
    for part in namespace.cut().parts:
        namespace.evict(part.number)
    files = stack.files
    handle = files.open("/evicted", os.O_RDONLY)
    store, whole = (
        ZstorStore(stack.zstor),
        next(
            kept.whole
            for part in reversed(namespace.cut().parts)
            if (kept := stack.protection.kept("qsfs-data", part.number)) is not None
            and kept.whole is not None
        ),
    )

    def read() -> float:
        return timed(lambda: files.read(handle, SMALL, numbers.randrange(size * MIB // SMALL) * SMALL))

    row = against(
        "qsfs: 4 KiB read of what was evicted",
        read,
        lambda: timed(lambda: store.read(whole.name, 0, MIB)),
        limit_name="1 MiB read by zstor",
        bar=3.0,
        unit="ms",
        rounds=9,
    )
    files.release(handle)
    return row


def _window(stack: Stack) -> Row:
    """Write without a sync, and look for how long it is only on this machine."""

    def seconds() -> float:
        start = time.perf_counter()
        _write(stack.files, "/unsynced", 1)
        end = time.monotonic() + PATIENCE
        while (stack.files.statistics().dirty or stack.figures().pending_bytes) and time.monotonic() < end:
            time.sleep(0.05)
        return time.perf_counter() - start

    return within(
        "qsfs: what is lost with the machine without a sync (QSFS: 15 minutes and more)",
        seconds,
        limit=10.0,
        unit="s",
        rounds=3,
    )


def _write(files: FileSystem, path: str, mebibytes: int) -> None:
    handle = files.create(path, os.O_RDWR, 0o644)
    for number in range(mebibytes):
        files.write(handle, os.urandom(MIB), number * MIB)
    files.release(handle)
