"""Runs programs of the system, looked up where systems keep them and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from statehold_zos.model import ZosError

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE: Final = 600
_PACKAGES: Final = {
    "blkdiscard": "util-linux",
    "blkid": "util-linux",
    "btrfs": "btrfs-progs",
    "e2fsck": "e2fsprogs",
    "fallocate": "util-linux",
    "losetup": "mount",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "smartctl": "smartmontools",
    "umount": "mount",
    "wipefs": "util-linux",
}


def find(name: str) -> str | None:
    """Return where a program is, None where it is not installed."""
    return shutil.which(name, path=_PATH)


def run(
    name: str,
    *arguments: str | Path,
    permitted: Collection[int] = (0,),
    held: Collection[int] = (),
) -> str:
    """Run a program and return what it wrote.

    Args:
        name: of the program.
        arguments: for it.
        permitted: with which it may end.
        held: open files that it keeps open, such as a lock that is to last as long as it runs.

    Raises:
        ZosError: it is not installed, failed, or took longer than ten minutes.

    """
    return outcome(name, *arguments, permitted=permitted, held=held).stdout


def outcome(
    name: str,
    *arguments: str | Path,
    permitted: Collection[int] = (0,),
    held: Collection[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program and return how it ended; as `run`."""
    place = find(name)
    if place is None:
        package = _PACKAGES[name]
        raise ZosError(
            f"the program {name} is not installed",
            hint=f"on Debian it comes with {package}: apt-get install {package}",
        )
    try:
        done = subprocess.run(  # noqa: S603  no shell, and no word of it from outside
            [place, *map(str, arguments)],
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
            errors="replace",  # a label may be any bytes
            pass_fds=held,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise ZosError(f"{name} did not end within {_PATIENCE} s") from error
    if done.returncode not in permitted:
        said = " ".join((done.stderr or done.stdout).split())
        raise ZosError(f"{name} ended with {done.returncode}: {said}")
    return done


@contextmanager
def told(what: str) -> Generator[None]:
    """Say what could not be done where the system refuses something."""
    try:
        yield
    except OSError as error:
        raise ZosError(f"cannot {what}: {error.strerror}") from error
