from __future__ import annotations

import os
from pathlib import Path

import pytest

from statehold_quota import programs
from statehold_zos.disks import _identity, _programs
from statehold_zos.model import ZosError


@pytest.mark.parametrize(
    ("name", "package"), [("blkid", "util-linux"), ("mkfs.btrfs", "btrfs-progs"), ("losetup", "mount")]
)
def test_a_program_that_is_not_installed_is_named_with_its_package(monkeypatch, tmp_path, name, package):
    monkeypatch.setattr("statehold_quota.programs._PATH", str(tmp_path))
    with pytest.raises(ZosError, match=f"{name} is not installed") as error:
        _programs.run(name)
    assert f"apt-get install {package}" in str(error.value)


def test_programs_are_not_looked_for_where_the_environment_says(monkeypatch, tmp_path):
    trap = tmp_path / "mount"
    trap.write_text("#!/bin/sh\nexit 0\n")
    trap.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.find("mount") != str(trap)


def test_why_a_program_failed_is_told(tmp_path):
    with pytest.raises(ZosError, match="mount ended with") as error:
        _programs.run("mount", tmp_path / "nothing", tmp_path / "nowhere")
    assert "nowhere" in str(error.value)


def test_the_id_of_a_node_stays_and_is_nobody_else_s(tmp_path):
    first = _identity.node_of(tmp_path / "one")
    assert _identity.node_of(tmp_path / "one") == first
    assert _identity.node_of(tmp_path / "two") != first
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["node"]
    assert (tmp_path / "one" / "node").stat().st_mode & 0o777 == 0o600


def test_an_id_of_a_node_that_is_damaged_is_not_replaced(tmp_path):
    (tmp_path / "node").write_text("gibberish")
    with pytest.raises(ZosError, match="holds no id of a node"):
        _identity.node_of(tmp_path)
    assert (tmp_path / "node").read_text() == "gibberish"


def test_a_signature_that_is_a_link_or_nonsense_proves_nothing(tmp_path):
    assert _identity.read(tmp_path) is None
    (tmp_path / _identity.FILE).symlink_to("/etc/hostname")
    with pytest.raises(OSError, match=os.strerror(40)):
        _identity.read(tmp_path)
    (tmp_path / _identity.FILE).unlink()
    for text in ("", "[]", "{}", '{"node": 1, "pool": 2, "type": "tape"}'):
        Path(tmp_path / _identity.FILE).write_text(text)
        assert _identity.read(tmp_path) is None
