"""Plugin files by digest: whole or not there, safe against crashes, tampering and other processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.loading import PluginFiles
from statehold.sdk import PluginError

DATA = b"a wheel" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_copied_once(tmp_path):
    """The second call returns the same file, untouched."""
    files = PluginFiles(tmp_path / "storages")
    path = files.add(DATA, sha256=SHA256, suffix=".whl")
    assert path == tmp_path / "storages" / f"{SHA256}.whl"
    assert path.read_bytes() == DATA
    inode = path.stat().st_ino
    assert files.add(DATA, sha256=SHA256, suffix=".whl") == path
    assert path.stat().st_ino == inode
    assert names(files.folder) == [path.name]


@pytest.mark.parametrize("found", [b"", DATA[:-1], DATA + b"x", DATA.replace(b"a", b"b")])
def test_a_half_copied_or_tampered_file_is_replaced(tmp_path, found):
    """The digest is verified each time, so what is used is what was asked for."""
    files = PluginFiles(tmp_path)
    path = tmp_path / f"{SHA256}.whl"
    path.write_bytes(found)
    assert files.add(DATA, sha256=SHA256, suffix=".whl").read_bytes() == DATA


def test_a_link_in_its_place_is_replaced_and_what_it_leads_to_stays(tmp_path):
    """Not even a link to the right content is followed."""
    other = tmp_path / "other"
    other.write_bytes(DATA)
    files = PluginFiles(tmp_path / "storages")
    path = files.folder / f"{SHA256}.whl"
    path.symlink_to(other)
    files.add(DATA, sha256=SHA256, suffix=".whl")
    assert not path.is_symlink()
    assert other.read_bytes() == DATA


def test_a_pipe_in_its_place_does_not_hang(tmp_path):
    """What is no regular file is replaced, too."""
    files = PluginFiles(tmp_path)
    os.mkfifo(tmp_path / f"{SHA256}.whl")
    assert files.add(DATA, sha256=SHA256, suffix=".whl").read_bytes() == DATA


def test_a_folder_in_its_place_is_refused(tmp_path):
    """Nothing is deleted that this class cannot have made."""
    files = PluginFiles(tmp_path)
    (tmp_path / f"{SHA256}.whl").mkdir()
    with pytest.raises(PluginError, match="cannot be written"):
        files.add(DATA, sha256=SHA256, suffix=".whl")
    assert names(tmp_path) == [f"{SHA256}.whl"]


@given(st.binary(max_size=200))
def test_data_without_its_digest_is_refused(tmp_path_factory, data):
    """Whatever does not have the digest is not written."""
    folder = tmp_path_factory.mktemp("storages")
    with pytest.raises(PluginError, match=f"expected {SHA256}"):
        PluginFiles(folder).add(data, sha256=SHA256, suffix=".whl")
    assert names(folder) == []


@pytest.mark.parametrize(
    ("sha256", "suffix"),
    [("../evil", ".whl"), (SHA256.upper(), ".whl"), (SHA256, "/../x"), (SHA256, "whl"), (SHA256, ".w/l")],
)
def test_a_name_that_is_no_digest_is_refused(tmp_path, sha256, suffix):
    """Digest and suffix cannot lead out of the folder."""
    with pytest.raises(PluginError, match="not the name of a plugin file"):
        PluginFiles(tmp_path).add(DATA, sha256=sha256, suffix=suffix)


def test_what_a_killed_process_left_is_removed(tmp_path):
    """A temporary file that nobody has locked belongs to nobody."""
    (tmp_path / f".{SHA256}.whl.0123.tmp").write_bytes(DATA[:100])
    PluginFiles(tmp_path)
    assert names(tmp_path) == []


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    """A locked temporary file has its writer."""
    temporary = tmp_path / f".{SHA256}.whl.0123.tmp"
    with temporary.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        PluginFiles(tmp_path)
        assert temporary.exists()


def test_a_writer_whose_temporary_file_is_taken_away_starts_again(tmp_path, monkeypatch):
    """A clean-up between the opening and the locking of a file costs nothing but a second try."""
    files = PluginFiles(tmp_path)
    lock, taken = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not taken:
            taken.extend(tmp_path.glob(".*.tmp"))
            taken[0].unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert files.add(DATA, sha256=SHA256, suffix=".whl").read_bytes() == DATA
    assert len(taken) == 1


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    """The error is a PluginError that says why; neither the file nor a part of it stays."""
    files = PluginFiles(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PluginError, match="No space left on device"):
        files.add(DATA, sha256=SHA256, suffix=".whl")
    assert names(tmp_path) == []


def test_many_threads_adding_one_file_agree(tmp_path):
    """All get the same whole file."""
    files = PluginFiles(tmp_path)
    results: list[bytes] = []

    def add() -> None:
        results.append(files.add(DATA, sha256=SHA256, suffix=".whl").read_bytes())

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [DATA] * 8
    assert names(tmp_path) == [f"{SHA256}.whl"]


ADDING = """
import hashlib, sys
from pathlib import Path
from statehold.loading import PluginFiles
for number in range(40):
    data = b"%d " % number * 5000
    path = PluginFiles(Path(sys.argv[1])).add(data, sha256=hashlib.sha256(data).hexdigest(), suffix=".whl")
    assert path.read_bytes() == data
"""


def test_two_processes_share_a_folder(tmp_path):
    """Each finds its files whole while the other writes the same ones and cleans up."""
    processes = [subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(list(Path(tmp_path).iterdir())) == 40


FOREVER = """
import hashlib, sys
from pathlib import Path
from statehold.loading import PluginFiles
for number in range(100_000):
    data = b"%d " % number * 20000
    PluginFiles(Path(sys.argv[1])).add(data, sha256=hashlib.sha256(data).hexdigest(), suffix=".whl")
    print(number, flush=True)
"""


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_a_writer_killed_at_any_point_leaves_only_whole_files(tmp_path, rounds):
    """Every file that stands under its name has its digest; what was half-written is cleaned away."""
    for number in range(rounds):
        folder = tmp_path / str(number)
        command = [sys.executable, "-c", FOREVER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(number % 7 + 1):
                writer.stdout.readline()
            writer.kill()
        PluginFiles(folder)
        found = list(folder.iterdir())
        assert len(found) > number % 7
        assert [f"{hashlib.sha256(path.read_bytes()).hexdigest()}.whl" for path in found] == names(folder)
