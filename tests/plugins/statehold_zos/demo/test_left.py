"""What a demo that was killed has left is cleared up by the next one."""

from __future__ import annotations

from pathlib import Path

import psutil

from statehold_zos.demo import PREFIX, Folders, clear, marked
from statehold_zos.model import DiskType, Mode
from statehold_zos.node import Node


def processes_in(folder: Path) -> list[int]:
    """Return the processes whose command lines name the folder."""
    found = psutil.process_iter(["cmdline"])
    return [each.pid for each in found if str(folder) in str(each.info["cmdline"])]


def test_servers_and_folders_of_a_demo_that_was_killed_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / f"{PREFIX}killed"
    folder.mkdir()
    with Node(Folders(folder, "").config) as node:
        node.disks.prepare()
        node.namespaces.reserve(DiskType.SSD, 2**20, Mode.USER, "secret", name="kept")
    (folder / "demo.lock").touch()
    assert processes_in(folder)
    clear(tmp_path)
    assert (list(tmp_path.iterdir()), processes_in(folder)) == ([], [])


def test_a_demo_that_runs_and_what_is_no_demo_s_stay(tmp_path: Path) -> None:
    names = [f"{PREFIX}begun", f"{PREFIX}running", "mine"]
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "mine" / "demo.lock").touch()
    (tmp_path / f"{PREFIX}file").touch()
    with marked(tmp_path / f"{PREFIX}running"):
        clear(tmp_path)
        assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*names, f"{PREFIX}file"])
    assert list((tmp_path / f"{PREFIX}running").iterdir()) == []
