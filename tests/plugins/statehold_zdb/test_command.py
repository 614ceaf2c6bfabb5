"""`statehold zdb serve`, as an operator runs it."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from zdb_servers import Talk

from statehold_zdb.commands import command

SERVE = [sys.executable, "-m", "statehold", "zdb", "serve", "--port", "0", "--json"]


def started(folder: Path, *options: str) -> tuple[subprocess.Popen[str], Talk]:
    process = subprocess.Popen(
        [*SERVE, "--data", folder / "data", "--index", folder / "index", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 60)[0], "it does not say that it listens"
    text = ""
    while True:
        text += process.stdout.readline()
        try:
            return process, Talk(json.loads(text)["ports"][0])
        except json.JSONDecodeError:
            assert process.poll() is None, text


def test_what_was_acknowledged_outlives_a_kill_and_a_term_is_a_clean_end(tmp_path: Path) -> None:
    """The server says where it listens; a second start has everything of the first."""
    process, talk = started(tmp_path, "--durability", "group")
    with process:
        try:
            for i in range(100):
                assert talk("SET", f"k{i}", f"v{i}") == f"k{i}".encode()
        finally:
            process.kill()
    talk.close()
    process, talk = started(tmp_path, "--synctime", "5", "--stoppable")
    with process:
        try:
            assert talk("MGET", *[f"k{i}" for i in range(100)]) == [b"v%d" % i for i in range(100)]
            assert b"durability: relaxed:5" in talk("NSINFO", "default")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    talk.close()
    process, talk = started(tmp_path, "--sync", "--stoppable")
    with process:
        try:
            assert talk("GET", "k1") == b"v1"
            assert b"durability: every" in talk("NSINFO", "default")
            assert talk("STOP") == b"Stopping"
            assert process.wait(60) == 0
        finally:
            process.kill()
    talk.close()


def test_protect_needs_a_password(tmp_path: Path) -> None:
    """Or nobody could ever write."""
    options = ["--data", str(tmp_path / "d"), "--index", str(tmp_path / "i")]
    result = CliRunner().invoke(command, ["serve", *options, "--protect"])
    assert result.exit_code == 2
    assert "--protect needs --admin" in result.output


@pytest.mark.parametrize(
    "option",
    [("--port", "99999"), ("--cache", "-1"), ("--busy-poll", "-1"), ("--compact", "7"), ("--maxsize", "-1")],
)
def test_what_cannot_be_is_refused_and_not_taken_for_something_else(
    tmp_path: Path, option: tuple[str, str]
) -> None:
    options = ["--data", str(tmp_path / "d"), "--index", str(tmp_path / "i")]
    result = CliRunner().invoke(command, ["serve", *options, *option])
    assert result.exit_code == 2
    assert "is not in the range" in result.output


def test_protected_default_is_only_read_by_strangers(tmp_path: Path) -> None:
    """Administrators select it with their password."""
    process, talk = started(tmp_path, "--admin", "root", "--protect", "--durability", "relaxed:1")
    with process:
        try:
            assert talk("SET", "k", "v") == "-Namespace is in read-only mode"
            assert talk("NSNEW", "n") == "-Permission denied"
            assert talk("SELECT", "default", "root") == b"OK"
            assert talk("SET", "k", "v") == b"k"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    talk.close()
