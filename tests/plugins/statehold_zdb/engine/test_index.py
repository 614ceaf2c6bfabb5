from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from zdb_engines import SEGMENT, contents, opened

from statehold_zdb.engine import Disk, Durability

LONG = 60


class Waiting(Disk):
    """Waits before it writes to an index file, once it is told to."""

    def __init__(self) -> None:
        self.waits = False
        self.came, self.go = threading.Event(), threading.Event()

    def write(self, fd: int, parts: Sequence[bytes | memoryview], size: int, at: int) -> None:
        if self.waits and Path(f"/proc/self/fd/{fd}").readlink().name == "i0":
            self.waits = False
            self.came.set()
            assert self.go.wait(LONG)
        super().write(fd, parts, size, at)


def test_records_may_be_synced_while_those_before_them_come_into_the_index(tmp_path: Path) -> None:
    disk = Waiting()
    options = {"segment_size": SEGMENT, "durability": Durability.parse("relaxed:3600"), "disk": disk}
    with opened(tmp_path, **options) as engine:
        names = engine["default"]
        names.set(b"1", b"first")
        names.sync()
        names.set(b"2", b"second")
        names.set(b"3", bytes(SEGMENT - 200))  # for which a new segment is begun
        disk.waits = True
        failed: list[BaseException] = []

        def write_index() -> None:
            try:
                names.write_index()
            except BaseException as error:
                failed.append(error)
                raise

        writing = threading.Thread(target=write_index)
        writing.start()
        assert disk.came.wait(LONG)
        names.sync()
        disk.go.set()
        writing.join(LONG)
        assert not failed
        names.write_index(all_synced=True)
        expected = contents(names)
    with opened(tmp_path) as engine:
        assert contents(engine["default"]) == expected
