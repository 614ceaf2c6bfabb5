from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from zdb_engines import SEGMENT, FailingDisk, contents, index_file, opened

from statehold_zdb.engine import Disk, Durability, ZdbWriteError
from statehold_zdb.engine._blocks import Entry, read_blocks

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


def _said(path: Path) -> list[Entry]:
    return [entry for _, block in read_blocks(str(path), salt=None) for entry in block.entries()]


def test_an_index_says_what_the_data_say(tmp_path: Path) -> None:
    """Of records that were written one by one and many at once; of none that was refused or cleared."""
    disk = FailingDisk()
    options = {"durability": Durability.parse("relaxed:3600"), "disk": disk}
    with opened(tmp_path, **options) as engine:
        names = engine["default"]
        assert names.stage_run([b"cleared", b"too"], [b"", b"x"])
        names.clear()
        assert names.stage_run([b"%d" % i for i in range(300)], [bytes(i) for i in range(300)])
        names.set(b"7", b"anew")
        names.delete(b"8")
        disk.write_error = errno.ENOSPC
        assert names.stage_run([b"refused"], [b"1"])
        names.stage(b"9", b"refused, too")
        with pytest.raises(ZdbWriteError):
            names.flush()
        disk.write_error = None
        assert names.get(b"9") == bytes(9)
        assert names.stage_run([b"last", b"of all"], [b"2", b"3"])
        names.flush()
    said = _said(index_file(tmp_path, 1))
    assert len(said) == 304
    index_file(tmp_path, 1).unlink()
    with opened(tmp_path):
        pass
    assert _said(index_file(tmp_path, 1)) == said
