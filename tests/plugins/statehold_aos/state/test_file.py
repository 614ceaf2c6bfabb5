from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from statehold_aos._state import _file
from statehold_aos._state._file import StateFile


def test_a_new_file_is_the_folder_s_owner_s_and_only_for_him(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, 1235)
    file = StateFile(tmp_path)
    assert file.write(b"a", 10) is None
    found, folder = file.path.stat(), tmp_path.stat()
    assert (found.st_uid, found.st_gid) == (folder.st_uid, folder.st_gid)
    assert found.st_mode & 0o777 == 0o600


def test_what_was_replaced_is_beside_the_file_until_it_is_cleared(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    file.write(b"a", 10)
    assert file.write(b"b", 10) == b"a"
    assert file.recover(10) == b"a"
    file.clear()
    assert file.recover(10) is None
    assert file.read(10).state == b"b"


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    with file.path.open("wb") as large:
        large.truncate(10**12)
    found = file.read(10)
    assert (found.state, found.checksum, found.size) == (None, None, 10**12)
    file.path.write_bytes(bytes(10))
    assert file.read(10).state == bytes(10)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_followed_and_nobody_waits_for_it(tmp_path: Path, kind: str) -> None:
    file, other = StateFile(tmp_path), tmp_path / "secret"
    other.write_bytes(b"secret")
    if kind == "link":
        file.path.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(file.path)
    else:
        file.path.mkdir()
    assert file.read(10).state is None
    for state in (b"a", b"b"):
        file.write(state, 10)
        file.clear()
        assert file.read(10).state == state
    assert file.path.stat().st_mode & 0o7777 == 0o600
    assert other.read_bytes() == b"secret"


def test_what_a_service_had_in_a_folder_in_place_of_the_file_is_left_to_it(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    file.path.mkdir()
    (file.path / "note").write_bytes(b"kept")
    for state in (b"a", b"b"):
        file.write(state, 10)
    assert [note.read_bytes() for note in tmp_path.glob("state.dat.folder-*/note")] == [b"kept"]
    assert file.read(10).state == b"b"


def test_rights_that_go_with_a_program_do_not_go_over_to_a_state_of_the_cloud(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    file.path.write_bytes(b"a")
    file.path.chmod(0o6755)
    file.write(b"b", 10)
    assert file.path.stat().st_mode & 0o7777 == 0o755


def test_what_is_too_large_and_was_being_replaced_in_a_crash_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / ".state.dat.new").write_bytes(bytes(11))
    file = StateFile(tmp_path)
    assert file.recover(10) is None
    file.clear()
    assert (tmp_path / "state.dat.too-large").read_bytes() == bytes(11)


def test_where_two_files_cannot_be_exchanged_the_file_is_replaced(tmp_path: Path, monkeypatch) -> None:
    def cannot(*_: object) -> bool:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(_file, "_rename_exchange", cannot)
    file = StateFile(tmp_path)
    file.path.write_bytes(b"a")
    file.write(b"b", 10)
    assert file.path.read_bytes() == b"b"
    assert [path.name for path in tmp_path.iterdir()] == ["state.dat"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch) -> None:
    file = StateFile(tmp_path)
    file.write(b"a", 10)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            file.write(b"b", 10)
    assert [path.name for path in tmp_path.iterdir()] == ["state.dat"]
    assert file.read(10).state == b"a"


KILLED = """
import os, signal, sys
from pathlib import Path
from statehold_aos._state import _file
steps = 0

def traced(frame, event, arg):
    global steps
    if frame.f_code.co_filename == _file.__file__:
        steps += 1
        if steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return traced

sys.settrace(traced)
_file.StateFile(Path(sys.argv[1])).write(b"new" * 1000, 10_000)
sys.settrace(None)
print(steps)
"""


def test_kill_9_at_any_moment_leaves_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    old, new = b"old" * 1000, b"new" * 1000

    def write(number: int) -> tuple[int, bytes, str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "state.dat").write_bytes(old)
        asked = [sys.executable, "-c", KILLED, str(folder), str(number)]
        done = subprocess.run(asked, check=False, capture_output=True, text=True)
        return done.returncode, (folder / "state.dat").read_bytes(), done.stdout

    code, state, steps = write(0)
    assert (code, state) == (0, new)
    found = set()
    for at in range(2, int(steps), max(1, int(steps) // 8)):
        code, state, _ = write(at)
        assert code == -signal.SIGKILL
        found.add(state)
    assert found == {old, new}
