"""`statehold zstor`, as people and scripts use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from zstor_worlds import LIMIT, table_of, toml_of

from statehold.cli import run
from statehold_zstor.commands._monitor import _pid_file


class Shell:
    """A terminal in a folder with five backends."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        ended = run(["zstor", *words])
        said = self._capsys.readouterr()
        assert ended == code, said
        return said.out + said.err

    def json(self, *words: str, code: int = 0) -> dict[str, object]:
        return json.loads(self(*words, "--json", code=code))

    def backend(self, number: int) -> Path:
        return self.folder / f"data{number}"


def write_config(folder: Path, **changes: object) -> None:
    table = table_of(urls=lambda n: f"file:data{n}", meta_urls=lambda n: f"file:meta{n}", root=".", **changes)
    (folder / "zstor_config.toml").write_text(toml_of(table), encoding="utf-8")


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=LIMIT) as answer:
        return answer.read()


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZSTOR_CONFIG", raising=False)
    for name in [*(f"data{number}" for number in range(6)), *(f"meta{number}" for number in range(4))]:
        (tmp_path / name).mkdir()
    write_config(tmp_path)
    return Shell(tmp_path, capsys)


def test_a_file_is_stored_looked_at_brought_back_and_deleted(shell: Shell) -> None:
    """Each command says what it did, in one line or a few."""
    Path("letter").write_bytes(b"Dear Ann" * 1000)
    assert shell("store", "-f", "letter") == "✓ letter: 7.8 KiB stored in 5 shards, any 3 suffice\n"
    text = shell("check", "-f", "letter")
    assert text.splitlines()[0].endswith("  letter")
    assert "8,000 bytes" in text
    assert text.count("    shard ") == 5
    assert "letter" in shell("list")
    assert shell("list", "x") == "there are no objects that begin with x\n"
    Path("letter").unlink()
    assert shell("retrieve", "-f", "letter").startswith("✓ letter: 7.8 KiB, CRC-32 ")
    assert Path("letter").read_bytes() == b"Dear Ann" * 1000
    shell("retrieve", "-f", "letter", "-o", "new/folder/copy")
    assert Path("new/folder/copy").read_bytes() == Path("letter").read_bytes()
    assert shell("delete", "-f", "letter") == "✓ letter is deleted\n"
    assert "there is no object 'letter'" in shell("delete", "-f", "letter", code=1)
    assert "there is no object 'letter'" in shell("retrieve", "-f", "letter", code=1)
    assert "there is no object 'letter'" in shell("check", "-k", "letter", code=1)
    assert Path("letter").exists()


def test_folders_are_stored_by_path_or_as_if_they_lay_elsewhere(shell: Shell) -> None:
    """And deleted here if that is wanted; the original's other options are taken."""
    Path("in/deep").mkdir(parents=True)
    for name in ("in/a", "in/deep/b"):
        Path(name).write_text(name)
    shell("store", "-s", "-n", "-e", "-d", "-f", "in", "-k", "elsewhere")
    assert not list(Path("in").rglob("?"))
    found = shell.json("list")["objects"]
    assert [each["key"] for each in found] == ["elsewhere/a", "elsewhere/deep/b"]
    assert shell.json("list", "elsewhere/d")["objects"] == found[1:]
    shell("retrieve", "-f", "elsewhere/deep/b")
    assert Path("elsewhere/deep/b").read_text() == "in/deep/b"
    assert "nothing to store" in shell("store", "-f", "in/deep")


def test_damage_is_shown_by_shard_and_backend_and_repaired(shell: Shell) -> None:
    """`verify` ends with 1 until it is."""
    Path("letter").write_bytes(os.urandom(10_000))
    stored = shell.json("store", "-f", "letter")["stored"][0]
    folder = Path(stored["backends"][3].removeprefix("file://"))
    piece = next(path for path in sorted(folder.rglob("data/**/*")) if path.is_file())
    piece.write_bytes(b"rot" + piece.read_bytes()[3:])
    text = shell("verify", "-f", "letter", code=1)
    assert "✗ letter: can be read; 4 of 5 shards are sound" in text
    assert f"shard 3 on file://{folder}: 1 block: " in text
    verdict = shell.json("verify", "--all", code=1)
    assert verdict["ok"] is False
    assert [bad["shard"] for bad in verdict["objects"][0]["bad"]] == [3]
    assert "✓ letter: repaired; 5 shards, any 3 suffice" in shell("verify", "-f", "letter", "--repair")
    assert "1 object read, none needs a repair" in shell("verify", "--all")
    assert "nothing to repair" in shell("rebuild", "-k", "letter")


def test_a_backend_that_is_away_is_told_and_rebuilt_around(shell: Shell) -> None:
    """Where another one is there for it."""
    for name in ("a", "b"):
        Path(name).write_text(name)
        shell("store", "-f", name)
    shell.backend(1).rename(shell.folder / "away")
    text = shell("status", code=1)
    assert f"✗ file://{shell.backend(1)}: the folder is not there" in text
    assert "2 objects; 2 with less than full redundancy" in text
    assert "1 shard" not in text
    shell("retrieve", "-f", "a")
    assert "4 of its 5 shards" in shell("rebuild", "-f", "a", code=1)
    assert "no objects whole, 2 not" in shell("rebuild", "--all", code=1)
    assert "is not stored" in shell("store", "-f", "a", code=1)
    assert "is not stored" in shell("test", code=1)
    write_config(shell.folder, groups=(6,))
    assert "2 objects whole" in shell("rebuild", "--all")
    assert {each["whole"] for each in shell.json("verify", "--all")["objects"]} == {True}
    assert "an object was stored, read and deleted" in shell("test")
    (shell.folder / "away").rename(shell.backend(1))
    status = shell.json("status")
    assert (status["objects"], status["tickets"], status["endangered"]) == (2, 0, 0)


def test_a_backend_that_answers_and_takes_nothing_is_told(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No shard is sent there, and a status that is well says that there is no such backend."""
    Path("letter").write_text("x")
    shell("store", "-f", "letter")
    shut, access = str(shell.backend(1)), os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != shut and access(path, mode))
    assert f"✗ file://{shut}: it cannot be written" in shell("status", code=1)
    assert "1 object, with full redundancy" in shell("status", code=1)
    assert f"file://{shut}: it cannot be written" in shell("store", "-f", "letter", code=1)
    write_config(shell.folder, groups=(6,))
    assert f"file://{shut}" not in shell.json("store", "-f", "letter")["stored"][0]["backends"]


def test_an_object_whose_metadata_are_damaged_keeps_no_other_from_being_looked_at(shell: Shell) -> None:
    """It is told, and counted."""
    for name in ("a", "b", "c"):
        Path(name).write_text(name)
        shell("store", "-f", name)
    damaged = min(path.name for path in (shell.folder / "meta0").rglob("*="))
    for number in range(4):
        for path in (shell.folder / f"meta{number}").rglob(damaged):
            path.write_bytes(b"rot")
    text = shell("verify", "--all", code=1)
    assert text.count("every shard is sound") == 2
    assert "backends of the metadata do not answer, or have what is damaged" in text
    assert "3 objects read, 1 needs a repair" in text
    document = shell.json("verify", "--all", code=1)
    assert (len(document["objects"]), len(document["failed"])) == (2, 1)
    assert "2 objects whole, 1 not" in shell("rebuild", "--all", code=1)


def test_of_two_monitors_the_one_that_ends_leaves_the_pid_file_of_the_other(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with _pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"
        path.write_text("1\n")
    assert path.read_text() == "1\n"
    with _pid_file(path):
        pass
    assert not path.exists()


def test_what_is_not_there_is_brought_to_no_folder(shell: Shell) -> None:
    assert "there is no object" in shell("retrieve", "-f", "no/such/letter", code=1)
    assert not Path("no").exists()


def test_a_policy_acknowledges_less_and_says_so(shell: Shell) -> None:
    """What is missing is shown until it is made."""
    write_config(shell.folder, acknowledge={"minimum": 4})
    Path("letter").write_text("x")
    shell.backend(2).rename(shell.folder / "away")
    assert "4 shards, any 3 suffice; shard 4 missing until a repair" in shell("store", "-f", "letter")
    (shell.folder / "away").rename(shell.backend(2))
    assert "1 object; 1 with less than full redundancy" in shell("status")
    assert "4 of 5" in shell("list")
    assert f"shard 4 made anew on file://{shell.backend(2)}" in shell("rebuild", "--all")
    assert "1 object, with full redundancy" in shell("status")


def test_wrong_usage_and_wrong_configurations_say_what_was_expected(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is wrong, with its line."""
    assert "expected one of --file, --key or --all" in shell("verify", code=2)
    assert "expected one of --file, --key" in shell("check", "-f", "a", "-k", "b", code=2)
    path = shell.folder / "zstor_config.toml"
    path.write_text(path.read_text().replace("minimal_shards = 3", "minimal_shards = 9\nnosuch = 1"))
    text = shell("status", code=1)
    assert "expected_shards" in text
    assert "nosuch" in text
    assert "cannot read nosuch.toml" in shell("-c", "nosuch.toml", "status", code=1)
    monkeypatch.setenv("ZSTOR_CONFIG", "other.toml")
    assert "cannot read other.toml" in shell("list", code=1)


def test_the_monitor_repairs_reloads_and_ends(shell: Shell) -> None:
    """As a service: it says that it runs, where its metrics are, and ends at SIGTERM."""
    soon = {"health": 0.1, "repair": 0.3, "scrub": 0}
    write_config(shell.folder, monitor=soon, pid_file="zstor.pid", prometheus_port=0)
    Path("letter").write_text("x" * 5000)
    shell("store", "-f", "letter")
    process = subprocess.Popen(
        [sys.executable, "-m", "statehold", "zstor", "monitor", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        reader = threading.Thread(target=lambda: said.extend(process.stderr))
        reader.start()
        try:
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, "it ended"
                text += line
            document = json.loads(text)
            assert (shell.folder / "zstor.pid").read_text() == f"{process.pid}\n"
            assert document["backends"] == 5
            write_config(shell.folder, monitor=soon, groups=(6,))
            process.send_signal(signal.SIGUSR1)
            shell.backend(0).rename(shell.folder / "away")
            end = time.monotonic() + LIMIT
            while f"file://{shell.backend(0)}" in shell.json("check", "-f", "letter")["backends"]:
                assert time.monotonic() < end, said
                time.sleep(0.05)
            url = f"http://127.0.0.1:{document['prometheus_port']}/metrics"
            while b"zstor_remade_shards_total 1.0" not in fetched(url):
                assert time.monotonic() < end, said
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 0
            watchdog.cancel()
            reader.join(LIMIT)
    text = "".join(said)
    assert "the configuration was read again" in text
    assert f"file://{shell.backend(0)} does not answer: the folder is not there" in text
    assert "'letter': shard" in text
    assert "Traceback" not in text
    assert not (shell.folder / "zstor.pid").exists()
