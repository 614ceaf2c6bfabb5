from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from statehold_quota import QuotaError, programs
from statehold_zos.model import ZosError

_PATIENCE: Final = 600


def run(
    name: str, *arguments: str | Path, permitted: Collection[int] = (0,), held: Collection[int] = ()
) -> str:
    """Run a program of the system, for ten minutes at most, and return what it wrote; or raise ZosError."""
    return outcome(name, *arguments, permitted=permitted, held=held).stdout


def outcome(
    name: str, *arguments: str | Path, permitted: Collection[int] = (0,), held: Collection[int] = ()
) -> CompletedProcess[str]:
    """Run a program and return how it ended; as `run`."""
    try:
        return programs.run(name, *arguments, permitted=permitted, patience=_PATIENCE, held=held)
    except QuotaError as error:
        raise ZosError(error.message, hint=error.hint) from error


@contextmanager
def told(what: str) -> Generator[None]:
    """Say what could not be done where the system refuses something."""
    try:
        yield
    except OSError as error:
        raise ZosError(f"cannot {what}: {error.strerror}") from error
