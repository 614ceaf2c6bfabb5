from __future__ import annotations

import re
import select
import signal
from pathlib import Path
from time import monotonic

from statehold.testing import OpenStorage


def do(opened: OpenStorage, what: str) -> str | None:
    """Let the wild storage do something in a GET, and return what it answers."""
    found = opened.facade.get(opened.key(1, What=what))
    return None if found is None else str(found["Text"])


def stop(pidfd: int) -> None:
    """Stop a process, and wait until none of its threads runs any more."""
    signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
    pid = _pid(pidfd)
    until = monotonic() + 30
    while not all(
        re.search(r"^State:\s+T", each.read_text(), re.MULTILINE)
        for each in Path(f"/proc/{pid}/task").glob("*/status")
    ):
        assert monotonic() < until, "it does not stop"
        select.select([], [], [], 0.01)


def pid_of(opened: OpenStorage) -> int:
    """Return the number of its process as this process sees it."""
    return _pid(opened.storage.group.pidfd)  # type: ignore[attr-defined]


def _pid(pidfd: int) -> int:
    found = re.search(r"^Pid:\s+(\d+)", Path(f"/proc/self/fdinfo/{pidfd}").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def private(pid: int) -> float:
    """Return the memory that only this process has, MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return sum(map(int, re.findall(r"^Private_(?:Dirty|Clean):\s+(\d+) kB", text, re.MULTILINE))) / 1024
