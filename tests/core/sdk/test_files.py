"""Files that are there after a crash."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from statehold.sdk import replace_file, sync_folder


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hold the paths of what was synced, in order."""
    paths: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return paths


def test_a_file_is_made_and_replaced_by_one_that_is_on_disk(tmp_path: Path, synced: list[str]) -> None:
    path = tmp_path / "settings"
    for data in (b"one", b"", b"x" * 1_000_000):
        synced.clear()
        replace_file(path, data)
        assert path.read_bytes() == data
        draft, folder = synced
        assert Path(draft).name.startswith(".settings-")
        assert folder == str(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["settings"]


def test_only_its_owner_reads_a_file_unless_others_may(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    replace_file(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    replace_file(path, b"two", mode=0o400)
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings"
    replace_file(path, b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"after")
    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["settings"]


def test_a_folder_is_synced_itself(tmp_path: Path, synced: list[str]) -> None:
    sync_folder(tmp_path)
    sync_folder(str(tmp_path))
    assert synced == [str(tmp_path)] * 2


def test_a_folder_that_is_none_cannot_be_synced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")
