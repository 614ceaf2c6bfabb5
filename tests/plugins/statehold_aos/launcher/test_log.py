"""What services write, in the host's log and in files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from statehold.sdk import StorageLogger
from statehold_aos.launcher._log import ServiceLog


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Written:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        logger = StorageLogger("test")
        logger.addHandler(heard := Heard())
        self.heard = heard.lines
        self.log = ServiceLog(folder / "log/nav.log", "nav", logger=logger, size=4096, count=2)
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)

    def writes(self, data: bytes) -> bool:
        os.write(self.write, data)
        return self.log.read(self.read)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    written = Written(tmp_path)
    yield written
    written.log.close()
    os.close(written.read)


def test_lines_are_told_when_they_are_whole(written: Written) -> None:
    assert written.writes(b"one\ntw")
    assert written.heard == ["nav: one"]
    assert written.writes("o, \u00e9\r\n\n".encode())
    assert written.heard == ["nav: one", "nav: two, \u00e9", "nav: "]
    assert written.writes(b"last \xff")
    os.close(written.write)
    assert not written.log.read(written.read)
    assert written.heard[-1] == "nav: last \ufffd"
    text = (written.folder / "log/nav.log").read_text()
    assert [line.split(" ", 2)[2] for line in text.splitlines()] == ["one", "two, \u00e9", "", "last \ufffd"]


def test_a_line_without_an_end_does_not_grow_for_ever(written: Written) -> None:
    for _ in range(10):
        written.writes(b"x" * 3000)
    assert max(map(len, written.heard)) <= 8192 + len("nav: ")
    assert len(written.log._rest) <= 8192
    os.close(written.write)


def test_the_oldest_file_goes(written: Written) -> None:
    for number in range(400):
        written.writes(b"%d %s\n" % (number, b"x" * 50))
    os.close(written.write)
    files = sorted((written.folder / "log").iterdir())
    assert [file.name for file in files] == ["nav.log", "nav.log.1", "nav.log.2"]
    assert all(file.stat().st_size <= 4096 for file in files)
    assert " 399 x" in files[0].read_text()


def test_nothing_to_read_is_no_end(written: Written) -> None:
    assert written.log.read(written.read)
    written.writes(b"partial")
    os.close(written.write)
    written.log.drain(written.read)
    assert list(written.log.last) == ["partial"]


def test_a_disk_that_takes_nothing_keeps_no_line_from_the_host_s_log(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: logging.LogRecord) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(written.log._file, "shouldRollover", full)
    written.writes(b"told all the same\n")
    os.close(written.write)
    assert written.heard == ["nav: told all the same"]
