"""Which processes are servers of a node, and which only look like one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from statehold_zos.namespaces._processes import end, serving

#: Waits until its input ends, in a folder that is all it sees; as somebody else, if it is told who.
WAITS = """
import os, sys
if sys.argv[1]:
    os.chroot(sys.argv[1])
if sys.argv[2]:
    os.setuid(int(sys.argv[2]))
print(flush=True)
sys.stdin.read()
"""
SOMEBODY, ANOTHER = 54321, 54322

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a process is to be another user's")


@contextlib.contextmanager
def waiting(socket: Path, *, root: Path | None = None, user: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that has a socket among its arguments."""
    words = [sys.executable, "-c", WAITS, root or "", str(user or ""), "--socket", socket]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        process.kill()


def test_a_server_is_found_by_its_socket_and_ended(tmp_path: Path) -> None:
    with waiting(tmp_path / "s.sock") as process:
        assert serving(tmp_path) == {"s.sock": [process.pid]}
        assert not end(tmp_path / "other.sock", patience=60)
        assert end(tmp_path / "s.sock", patience=60)
        assert process.wait(60)
    assert serving(tmp_path) == {}


@needs_root
def test_a_server_in_a_container_whose_paths_are_the_same_is_not_ours(tmp_path: Path) -> None:
    """A node there and a node here may both be in the same path, of two file systems."""
    inside = tmp_path / "container"
    inside.mkdir()
    with waiting(tmp_path / "s.sock", root=inside) as process:
        assert serving(tmp_path) == {}
        assert not end(tmp_path / "s.sock", patience=60)
        assert process.poll() is None


@needs_root
def test_a_server_in_a_container_that_has_our_folder_is_ours(tmp_path: Path) -> None:
    inside = tmp_path / "container"
    same = inside / tmp_path.relative_to("/")
    same.parent.mkdir(parents=True)
    same.symlink_to(tmp_path)
    with waiting(tmp_path / "s.sock", root=inside) as process:
        assert serving(tmp_path) == {"s.sock": [process.pid]}


@needs_root
def test_a_process_of_somebody_else_with_such_arguments_is_no_server(tmp_path: Path) -> None:
    """Else anybody could keep a node from looking after its servers."""
    with waiting(tmp_path / "s.sock", user=ANOTHER) as other:
        code = (
            f"import os, sys; sys.path[:0] = {sys.path!r}; from pathlib import Path;"
            f"from statehold_zos.namespaces._processes import end; os.setuid({SOMEBODY});"
            f"print(end(Path({str(tmp_path / 's.sock')!r}), patience=60))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == ("False", "")
        assert other.poll() is None
