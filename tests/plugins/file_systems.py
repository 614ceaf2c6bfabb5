"""File systems in image files, for tests that need a real one; each is unmounted by the test that made it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian import PATH

_NEW_MOUNTS, _RECURSIVE, _PRIVATE = 0x20000, 0x4000, 0x40000


def root_and_loops() -> None:
    """Skip the test where nothing can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount file systems")
    if not Path("/dev/loop-control").exists():
        pytest.skip("there are no loop devices here")
    own_mounts()


@functools.cache
def own_mounts() -> None:
    """Give this process mounts of its own, once, so that the kernel undoes them also if it is killed."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_MOUNTS) or library.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None):
        pytest.skip(f"nothing may be mounted here: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def mounted(
    folder: Path, kind: str, *, size: int, make: tuple[str, ...] = (), options: str = ""
) -> Iterator[Path]:
    """Make a file system in an image under *folder*, and yield where it is mounted."""
    root_and_loops()
    image, point = folder / f"{kind}.img", folder / f"{kind}-mounted"
    with image.open("wb") as file:
        file.truncate(size)
    run(f"mkfs.{kind}", "-q", *make, image)
    point.mkdir()
    mount(image, point, kind, options)
    try:
        point.chmod(0o755)
        yield point
    finally:
        unmount_all(point)
        image.unlink()


def mount(image: Path, point: Path, kind: str, options: str = "") -> None:
    """Mount an image; the test is skipped, with what the system said, where the kernel cannot."""
    words = ",".join(filter(None, ("loop", options)))
    done = run("mount", "-t", kind, "-o", words, image, point, check=False)
    if done.returncode:
        told = run("dmesg", check=False).stdout.splitlines()
        why = [line for line in told if f"{kind} " in line.lower() or f"{kind}-fs" in line.lower()][-1:]
        said = "".join(why) or done.stderr.strip()
        pytest.skip(f"this kernel does not mount {kind} with {options or 'no options'}: {said}")


def unmount_all(point: Path) -> None:
    """Unmount what is mounted at and under *point*."""
    table = Path("/proc/thread-self/mountinfo").read_text().splitlines()
    points = [Path(line.split(" ")[4]) for line in table]
    for each in reversed([one for one in points if one.is_relative_to(point)]):
        run("umount", each)


def run(*command: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program of the system."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": PATH}
    words = list(map(str, command))
    return subprocess.run(words, capture_output=True, text=True, check=check, env=environment, timeout=120)


def fill(folder: Path, size: int, *, uid: int = 0, name: str = "file") -> tuple[int, str]:
    """Write up to *size* bytes as a user, and return how many arrived, and what refused the rest."""
    piece = 64 * 1024
    command = ["dd", "if=/dev/zero", f"of={name}", f"bs={piece}", f"count={size // piece}", "conv=fsync"]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": PATH},
        user=uid,
        group=uid,
        extra_groups=[],
    )
    written = (folder / name).stat().st_size if (folder / name).exists() else 0
    if done.returncode == 0:
        return written, ""
    for text, word in {"Disk quota exceeded": "EDQUOT", "No space left on device": "ENOSPC"}.items():
        if text in done.stderr:
            return written, word
    raise AssertionError(done.stderr)
