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
    found = re.search(r"^Pid:\s+(\d+)", Path(f"/proc/self/fdinfo/{pidfd}").read_text(), re.MULTILINE)
    assert found is not None
    until = monotonic() + 30
    while not all(
        re.search(r"^State:\s+T", each.read_text(), re.MULTILINE)
        for each in Path(f"/proc/{found[1]}/task").glob("*/status")
    ):
        assert monotonic() < until, "it does not stop"
        select.select([], [], [], 0.01)
