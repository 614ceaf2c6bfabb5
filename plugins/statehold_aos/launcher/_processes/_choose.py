from __future__ import annotations

from pathlib import Path
from typing import Final

from statehold_aos.launcher._processes._child_runner import ChildRunner
from statehold_aos.launcher._processes._runner import Runner
from statehold_aos.launcher._processes._systemd import SystemdRunner, why_no_systemd

#: The words for runners, in settings.
RUNNERS: Final = ("auto", "systemd", "child")


def choose_runner(kind: str, folder: Path, *, isolation: str = "available") -> Runner:
    """Return what runs services: systemd where it is the first process and this is root, else the host.

    Args:
        kind: one of `RUNNERS`.
        folder: of the launcher alone.
        isolation: for children: `available`, `required` or `off`.

    Raises:
        OSError: systemd is asked for, and is not there.

    """
    why = why_no_systemd()
    if kind == "systemd" and why:
        raise OSError(2, why)
    if kind == "child" or why:
        return ChildRunner(folder, isolation)
    return SystemdRunner(folder)
