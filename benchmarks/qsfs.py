"""What a mounted QSFS costs against files in memory behind the same binding, with the same options.

The figures of 0-db-fs beside the names are of its own on a UNIX socket, not pinned; it does not sync either.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks._measure import Row, against

MIB = 2**20
LARGE = 32 * MIB
BLOCK = 128 * 1024
SMALL = 4096
FILES = 300
LOOKS = 10
REWRITES = 500


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        return  # only root may mount here
    # Not in /tmp, which may be memory: the figures are about the disk.
    with tempfile.TemporaryDirectory(dir="build") as folder, ExitStack() as stack:
        here = Path(folder).resolve()
        store, memory = here / "store", [sys.executable, "-m", "benchmarks._memory_files"]
        ours = [sys.executable, "-m", "statehold", "qsfs", "mount", str(store)]
        held = stack.enter_context(_mounted(here / "memory-point", memory))
        kept = stack.enter_context(_mounted(here / "store-point", ours))
        yield from _large((kept, held))
        yield from _small((kept, held))
        yield _amplification(kept, store)
        yield _deleted(kept, store)


@contextmanager
def _mounted(point: Path, command: list[str]) -> Iterator[Path]:
    point.mkdir()
    with subprocess.Popen([*command, str(point)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "mounted" in process.stdout.readline()
            yield point
        finally:
            subprocess.run(["umount", "--lazy", str(point)], check=False)
            process.terminate()  # others may still see it: those who have mounts of their own


def _large(places: tuple[Path, Path]) -> Iterator[Row]:
    data = os.urandom(BLOCK)

    def written(point: Path, size: int, total: int) -> float:
        piece = data[:size]
        fd = os.open(point / "large", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        start = time.perf_counter()
        for _ in range(0, total, size):
            os.write(fd, piece)
        os.close(fd)  # with which the kernel lets go of its pages
        return time.perf_counter() - start

    def read(point: Path) -> float:
        buffer = bytearray(BLOCK)
        fd = os.open(point / "large", os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        while os.readv(fd, [buffer]):
            pass
        seconds = time.perf_counter() - start
        os.close(fd)
        return seconds

    yield _row("write 32 MiB by 128 KiB", lambda at: written(at, BLOCK, LARGE), places, 0.7, "538 MiB/s")
    for point in places:
        fd = os.open(point / "large", os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    yield _row("read 32 MiB by 128 KiB", read, places, 0.7, "771 MiB/s")
    yield _row("write 8 MiB by 4 KiB", lambda at: written(at, SMALL, LARGE // 4), places, 0.5, "99 MiB/s")


def _small(places: tuple[Path, Path]) -> Iterator[Row]:
    data = os.urandom(SMALL)
    number = iter(range(10**9))
    folders: dict[Path, Path] = {}

    def made(point: Path) -> float:
        folder = folders[point] = point / f"folder-{next(number)}"
        folder.mkdir()
        start = time.perf_counter()
        for i in range(FILES):
            fd = os.open(folder / str(i), os.O_CREAT | os.O_WRONLY)
            os.write(fd, data)
            os.close(fd)
        return time.perf_counter() - start

    def looked(point: Path) -> float:
        made(point)  # or the kernel would know all of it from before
        start = time.perf_counter()
        for _ in range(LOOKS):
            for i in range(FILES):
                (folders[point] / str(i)).stat()
        return time.perf_counter() - start

    def removed(point: Path) -> float:
        made(point)
        start = time.perf_counter()
        for i in range(FILES):
            (folders[point] / str(i)).unlink()
        return time.perf_counter() - start

    yield _row(f"make {FILES} files of 4 KiB", made, places, 0.5, "3,698 files/s")
    yield _row(f"look {LOOKS} times at {FILES} files", looked, places, 0.5, "97,913 files/s")
    yield _row(f"remove {FILES} files", removed, places, 0.5, "7,764 files/s")


def _row(
    name: str, run: Callable[[Path], float], places: tuple[Path, Path], bar: float, original: str
) -> Row:
    kept, held = places
    return against(
        f"qsfs: {name}",
        lambda: run(kept),
        lambda: run(held),
        limit_name=f"in memory, same binding (0-db-fs: {original})",
        bar=bar,
        unit="ms",
        sense=">=",
        rounds=11,
        rate=True,
    )


def _amplification(kept: Path, store: Path) -> Row:
    """Rewrite 4 KiB at random in a synced file of 64 MiB, each opened and closed for itself; then sync."""
    path, numbers = kept / "rewritten", random.Random(1)
    with path.open("wb") as file:
        for _ in range(64):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    before = _appended(store)
    for _ in range(REWRITES):
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, os.urandom(SMALL), numbers.randrange(64 * MIB // SMALL) * SMALL)
        os.close(fd)
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    written, wanted = _appended(store) - before, REWRITES * SMALL
    return Row(
        name=f"qsfs: {REWRITES} random rewrites of 4 KiB, bytes on the disk",
        limit_name="the bytes themselves (0-db-fs: 32 times)",
        unit="KiB",
        measured=written / 1024,
        limit=wanted / 1024,
        ratio=written / wanted,
        bar=4.0,
    )


def _deleted(kept: Path, store: Path) -> Row:
    """Look at what the store takes after 128 MiB were deleted, and it has been compacted by itself."""
    before, size = _appended(store), 128
    path = kept / "deleted"
    with path.open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    path.unlink()
    end = time.monotonic() + 60
    while (left := max(_appended(store) - before, 0)) > size * MIB / 2 and time.monotonic() < end:
        time.sleep(0.5)
    return Row(
        name="qsfs: disk space a minute after 128 MiB were deleted",
        limit_name="what they took (0-db-fs: all of it)",
        unit="MiB",
        measured=left / MIB,
        limit=size,
        ratio=left / MIB / size,
        bar=0.5,
    )


def _appended(store: Path) -> int:
    return sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
