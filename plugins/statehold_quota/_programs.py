"""Runs programs of the system, looked up where systems keep them and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Final

from statehold_quota._backend import QuotaError

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds that a program gets.
PATIENCE: Final = 300.0
_PACKAGES: Final = {
    "blkdiscard": "util-linux",
    "blkid": "util-linux",
    "btrfs": "btrfs-progs",
    "dd": "coreutils",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fallocate": "util-linux",
    "losetup": "mount",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "resize2fs": "e2fsprogs",
    "smartctl": "smartmontools",
    "umount": "mount",
    "wipefs": "util-linux",
}


def find(name: str) -> str | None:
    """Return where a program is, None where it is not installed."""
    return shutil.which(name, path=_PATH)


def program(name: str) -> str:
    """Return where a program is, QuotaError where it is not installed."""
    found = find(name)
    if found is None:
        package = _PACKAGES[name]
        raise QuotaError(
            f"the program {name} is not installed",
            hint=f"on Debian it comes with {package}: apt-get install {package}",
        )
    return found


def run(
    name: str,
    *arguments: str | Path,
    permitted: Collection[int] = (0,),
    patience: float | None = PATIENCE,
    held: Collection[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program and return how it ended, and what it wrote.

    Args:
        name: of the program.
        arguments: its words.
        permitted: the codes with which it may end.
        patience: seconds after which it is ended; None for what must not be ended halfway.
        held: open files that it has, too: a lock on one lasts until the program has ended, also if this
            process is killed.

    Raises:
        QuotaError: it is not installed, failed, or took longer than that.

    """
    try:
        done = subprocess.run(  # noqa: S603  no shell, and no word of it from outside
            [program(name), *map(str, arguments)],
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
            errors="replace",  # a label may be any bytes
            pass_fds=held,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=patience,
        )
    except subprocess.TimeoutExpired as error:
        raise QuotaError(f"{name} did not end within {patience:g} s") from error
    if done.returncode not in permitted:
        said = " ".join((done.stderr or done.stdout).split())
        raise QuotaError(f"{name} ended with {done.returncode}: {said}")
    return done
