"""Runs programs of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from statehold_quota._backend import QuotaError

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds that a program gets.
PATIENCE: Final = 300.0


def program(name: str) -> str:
    """Return where a program is, QuotaError where it is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise QuotaError(f"the program {name} is not installed")
    return found


def run(
    name: str,
    *arguments: str | Path,
    permitted: Iterable[int] = (0,),
    patience: float | None = PATIENCE,
    holding: int | None = None,
) -> str:
    """Run a program and return what it wrote.

    Args:
        name: of the program.
        arguments: its words.
        permitted: the codes with which it may end.
        patience: seconds after which it is ended; None for what must not be ended halfway.
        holding: an open file that it has, too: a lock on it lasts until the program has ended, also if this
            process is killed.

    Raises:
        QuotaError: it failed, or took longer than that.

    """
    command = [program(name), *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603  no shell, and no word of it from outside
            command,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
            pass_fds=() if holding is None else (holding,),
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=patience,
        )
    except subprocess.TimeoutExpired as error:
        raise QuotaError(f"{name} did not end within {patience:g} s") from error
    if done.returncode not in permitted:
        said = " ".join((done.stderr or done.stdout).split())
        raise QuotaError(f"{name} ended with {done.returncode}: {said}")
    return done.stdout
