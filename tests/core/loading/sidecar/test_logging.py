from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable

import pytest
from wild_use import do

from statehold.loading.sidecar import SidecarError
from statehold.testing import OpenStorage

Wild = Callable[..., OpenStorage]


def test_log_records_arrive_in_the_logger_of_the_storage_with_their_level(wild: Wild, records) -> None:
    opened = wild()
    do(opened, f"log {logging.ERROR} a mishap")
    do(opened, f"log {logging.DEBUG} a detail")
    assert records.wait_for("a mishap").levelno == logging.ERROR
    record = records.wait_for("a detail")
    assert (record.levelno, record.name) == (logging.DEBUG, "test.wild")


def test_records_below_the_level_of_the_logger_are_not_sent(wild: Wild, records, logger) -> None:
    logger.setLevel(logging.WARNING)
    opened = wild()
    do(opened, f"log {logging.INFO} unheard")
    do(opened, f"log {logging.WARNING} heard")
    records.wait_for("heard")
    assert [text for _, text in records.seen] == ["heard"]


def test_what_other_loggers_of_the_plugin_say_arrives_too(wild: Wild, records) -> None:
    do(wild(), "rootlog from elsewhere")
    assert records.wait_for("from elsewhere").levelno == logging.ERROR


def test_what_is_printed_arrives_line_by_line(wild: Wild, records) -> None:
    opened = wild()
    do(opened, "print to stdout")
    assert records.wait_for("to stdout").levelno == logging.INFO
    do(opened, "warn to stderr")
    assert records.wait_for("to stderr").levelno == logging.WARNING


FORGED = "a\nERROR root: b\r\x1b[2Kc\x85\u2028\u202ed\te\u00fc\U0001f600"
SHOWN = "a\\nERROR root: b\\r\\x1b[2Kc\\x85\\u2028\\u202ed\te\u00fc\U0001f600"


def test_a_record_is_one_line_whatever_is_in_it(wild: Wild, records) -> None:
    do(wild(), f"log {logging.INFO} {FORGED}")
    assert records.wait_for("a").getMessage() == SHOWN


@pytest.mark.parametrize("verb", ["print", "warn"])
def test_what_is_printed_forges_no_line_and_steers_no_terminal(wild: Wild, records, verb: str) -> None:
    do(wild(), f"{verb} {FORGED.replace(chr(10), ' ')}")
    assert records.wait_for("a").getMessage() == SHOWN.replace("\\n", " ")


def test_the_last_lines_in_an_error_forge_none(wild: Wild) -> None:
    opened = wild()
    do(opened, "warn so\rlong\x1b[0m")
    with pytest.raises(SidecarError) as raised:
        opened.insert(opened.key(1, What="a"), opened.value(Text="exit 7"))
    assert "so\\rlong\\x1b[0m" in str(raised.value)


def test_a_flood_of_lines_is_cut_off_and_counted(wild: Wild, records) -> None:
    opened = wild()
    do(opened, "flood 5000")
    dropped = records.wait_for("lines were dropped")
    assert dropped.levelno == logging.WARNING
    lines = [text for _, text in records.seen if text.startswith("line ")]
    assert len(lines) < 5000


def test_a_flood_of_records_waits_in_the_sidecar(wild: Wild) -> None:
    opened = wild()
    code = """
        import socket, time
        log = socket.socket(fileno=4)
        log.settimeout(2)
        begun = time.monotonic()
        for sent in range(10_000):
            log.send(bytes([0x94, 36, 0, 10, 0xA1, 0x61]))
        result = time.monotonic() - begun > 1
        log.detach()
    """
    assert do(opened, f"try {textwrap.dedent(code)}") == "done: True"


def test_a_crash_is_told_in_the_log_with_the_last_lines(wild: Wild, records) -> None:
    opened = wild()
    do(opened, "warn so long")
    with pytest.raises(SidecarError, match="so long"):
        opened.insert(opened.key(1, What="a"), opened.value(Text="exit 7"))
    assert "so long" in records.wait_for("exit status 7").getMessage()
