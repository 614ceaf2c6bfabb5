"""`statehold zos`, as people and scripts use it, on folders."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from statehold.cli import run
from statehold_zos.config import read_config
from statehold_zos.model import Config
from statehold_zos.node import Node

SPACE = {"id", "path", "size", "type", "pool", "used", "state", "owner", "name", "limits"}
NAMESPACE = {
    *("id", "disk_type", "size", "mode", "port", "host", "socket", "pool", "used", "state", "owner"),
    "name",
}
CONFIG = """\
folder = "node"
grace = 0

[[plain]]
path = "fast"
size = "64 MiB"
type = "ssd"

[[plain]]
path = "slow"
size = "64 MiB"
type = "hdd"
"""


@attrs.frozen
class Zos:
    """Runs commands on a node."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run a command for a person; return how it ended and what it wrote to stdout and to stderr."""
        code = run(["zos", "-c", str(self.folder / "zos.toml"), *words])
        wrote = self.capture.readouterr()
        return code, wrote.out, wrote.err

    def json(self, *words: str) -> Any:
        """Run a command for a machine."""
        code, out, err = self(*words, "--json")
        document = json.loads(out)
        assert (code == 0, err) == (document["ok"], "")
        return document

    def keys(self, *words: str) -> set[str]:
        """Return what its document has."""
        document = self.json(*words)
        assert document.pop("ok"), document
        return set(document)

    def error(self, *words: str) -> str:
        """Run a command that fails, and return what it says."""
        code, _, err = self(*words)
        assert code == 1, err
        return err


@pytest.fixture
def zos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Zos]:
    (tmp_path / "zos.toml").write_text(CONFIG)
    yield Zos(tmp_path, capsys)
    with Node(read_config(tmp_path / "zos.toml")) as node:
        node.namespaces.stop()


@pytest.fixture
def prepared(zos: Zos) -> Zos:
    assert zos.keys("prepare") == {"pools"}
    return zos


def test_a_plan_changes_nothing_and_says_what_prepare_makes(zos: Zos) -> None:
    assert zos.keys("plan") == {"policy", "new", "pools", "disks", "left"}
    code, out, _ = zos("plan", "--type", "ssd")
    assert code == 0
    assert f"{zos.folder / 'slow'} stays free: the policy makes no pools of hdd" in out
    assert "nothing was changed; to do it: statehold zos prepare" in out
    assert not (zos.folder / "fast").exists()
    _, out, _ = zos("pools")
    assert out == "there is no pool yet: `statehold zos plan` says what can be made\n"
    code, out, _ = zos("prepare", "--type", "ssd")
    assert (code, out.count("ready"), (zos.folder / "slow").exists()) == (0, 1, False)


def test_disks_are_written_only_with_the_tokens_of_the_plan(
    four_disks: Config, zos: Zos, tmp_path: Path
) -> None:
    images = "".join(f'[[images]]\npath = "{one.path}"\nsize = {one.size}\n' for one in four_disks.images)
    (tmp_path / "zos.toml").write_text(f'folder = "node"\n{images}')
    made = zos.json("plan")["new"]
    assert len({pool["token"] for pool in made}) == len(made) == 4
    assert "prepare writes to a disk only with its token, and 4 could be made" in zos.error("prepare")
    assert "look at the plan" in zos.error("prepare", "make-000000000000").lower()
    assert not any(one.path.exists() for one in four_disks.images)


def test_folders_are_reserved_shown_resized_and_released(prepared: Zos) -> None:
    made = prepared.json("reserve", "ssd", "10 MiB", "--name", "media")
    assert {*made} - {"ok"} == SPACE
    assert prepared.json("reserve", "ssd", "10 MiB", "--name", "media") == made
    (Path(made["path"]) / "one").write_bytes(b"x" * 2**20)
    assert prepared.keys("resize", made["id"], "32MiB") == SPACE
    (told,) = prepared.json("spaces", "--owner", "")["spaces"]
    assert (told["size"], told["used"], told["name"]) == (32 * 2**20, 2**20, "media")
    assert prepared.json("spaces", "--owner", "somebody")["spaces"] == []
    code, out, _ = prepared("pools")
    assert code == 0
    assert "█▒▒▒▒▒▒▒········" in out
    assert "advisory" in out
    assert prepared.keys("pools") == {"pools", "types", "sru", "hru"}
    code, out, _ = prepared("spaces")
    assert made["path"] in out
    assert prepared.keys("release", made["id"]) == {"released", "grace"}
    assert prepared("spaces")[1] == "nothing is reserved\n"


def test_names_are_shown_as_they_are_and_steer_no_terminal(prepared: Zos) -> None:
    for name in ("[/x]", "\x1b[31mred", "x" * 3000):
        prepared.json("reserve", "ssd", "1 MiB", "--name", name)
    code, out, err = prepared("spaces")
    assert (code, err) == (0, "")
    assert "[/x]" in out
    assert "\\x1b[31mred" in out
    assert "\x1b[31m" not in out
    assert max(map(len, out.splitlines())) < 300


def test_a_password_that_is_no_text_is_told(prepared: Zos, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    said = prepared.error(
        *("reserve", "ssd", "1 MiB", "--namespace", "--password-file", str(tmp_path / "secret"))
    )
    assert "is no UTF-8 text" in said


def test_namespaces_are_reserved_with_a_password_that_is_on_no_command_line(
    prepared: Zos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
    words = ("reserve", "hdd", "4 MiB", "--namespace", "--mode", "seq", "--password-file", "-")
    made = prepared.json(*words)
    assert {*made} - {"ok"} == NAMESPACE
    assert (made["mode"], made["size"], made["state"]) == ("seq", 4 * 2**20, "ready")
    assert prepared.json("freeze", made["id"])["state"] == "frozen"
    assert prepared.keys("freeze", made["id"], "--thaw") == NAMESPACE
    assert prepared.json("resize", made["id"], "8 MiB")["size"] == 8 * 2**20
    code, out, _ = prepared("namespaces")
    assert (code, f"{made['host']}:{made['port']}" in out) == (0, True)
    assert prepared.keys("release", made["id"]) == {"released", "grace"}
    assert prepared.json("namespaces")["namespaces"] == []


def test_a_pool_is_wiped_by_name_and_token_once_it_is_empty(prepared: Zos) -> None:
    made = prepared.json("reserve", "ssd", "1 MiB")
    pool = made["pool"]
    token = next(old["token"] for old in prepared.json("plan")["pools"] if old["id"] == pool)
    assert "wants the pool's token, too" in prepared.error("wipe", pool)
    assert "is not wiped" in prepared.error("wipe", pool, "--token", token)
    prepared.json("release", made["id"])
    assert "is not the token" in prepared.error("wipe", pool, "--token", "x")
    token = next(old["token"] for old in prepared.json("plan")["pools"] if old["id"] == pool)
    assert prepared.keys("wipe", pool, "--token", token) == {"pool", "disks"}
    assert [each["type"] for each in prepared.json("pools")["pools"]] == ["hdd"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reserve", "ssd", "1 GiB"], "no pool of ssd has"),
        (
            ["reserve", "ssd", "lots"],
            "expected bytes, such as 1073741824 or '1 GiB'",
        ),
        (["reserve", "ssd", "1 MiB", "--pool", "zos-0"], "there is no pool 'zos-0'"),
        (["reserve", "ssd", "1 MiB", "--namespace"], "a namespace has a password, and none is given"),
        (["release", "space-0"], "there is no reservation 'space-0'"),
        (["resize", "space-0", "1 MiB"], "there is no reservation 'space-0'"),
        (["freeze", "namespace-0"], "there is no namespace 'namespace-0'"),
        (["spaces", "--pool", "zos-0"], "there is no pool 'zos-0'"),
        (["wipe", "zos-0", "--token", "x"], "there is no pool 'zos-0'"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_was_expected(
    prepared: Zos, words: list[str], said: str
) -> None:
    code, _, err = prepared(*words)
    assert code == 1
    assert said in " ".join(err.split())
    document = prepared.json(*words)
    assert said in document["error"]["message"]


@pytest.mark.parametrize(
    "words", [["reserve", "tape", "1 MiB"], ["reserve", "ssd", "1 MiB", "--mode", "seq"], ["wipe"]]
)
def test_wrong_usage_ends_with_2(prepared: Zos, words: list[str]) -> None:
    assert prepared(*words)[0] == 2


def test_a_reservation_that_is_nearly_right_is_suggested(prepared: Zos) -> None:
    made = prepared.json("reserve", "ssd", "1 MiB")["id"]
    assert f"is {made} meant?" in prepared.error("release", made[:-1])
