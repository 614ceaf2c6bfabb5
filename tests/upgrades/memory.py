"""A process that replaces versions and rolls back, and notes what it and its children have in memory.

`memory.py DATA CHANGES BACK IMAGE IMAGE` makes that many changes, each BACK-th of them a roll-back and the
others deploys of the two images in turn; after each it writes a line of JSON: how many processes it has
started, and the private memory of its own and of them, in KiB. What it replaces is freed by then, and what
the allocator of the C library keeps of it has been given back: that is 10 MB at times, after a compilation.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import time
from pathlib import Path

from statehold.hosting import Host
from statehold.processing import SYSTEM, Request, Runtime

APP = "acme.answers"
CALLS = 10


def private(pid: int) -> int:
    """Return what a process has for itself, in KiB; of what it shares with others, nothing."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # It ends just now.
    return sum(
        int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty:", "Private_Clean:"))
    )


def children() -> list[int]:
    """Return the processes that this one has started, and those that they have, if they run."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found, added = {os.getpid()}, True
    while added:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        added = bool(more)
        found |= more
    return sorted(found - {os.getpid()})


def settled(most: int) -> list[int]:
    """Return the children, when there are no more than *most*: one that was ended may take its time."""
    end = time.monotonic() + 60
    while len(found := children()) > most and time.monotonic() < end:
        time.sleep(0.01)
    return found


def main(data: Path, changes: int, back: int, images: list[Path]) -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
    request = Request(app=APP, workspace=1, principal=SYSTEM)
    with Host(data, environ={}) as host, Runtime(host) as runtime:
        host.deploy(images[1])
        least = 1000
        for number in range(changes):
            before = host.app(APP).current
            if number % back == back - 1:
                host.rollback(APP)
            else:
                # The one that does not run.
                host.deploy(images[before.name == "1"])
            for _ in range(CALLS):
                runtime.query(request, "answers.Which", {})
            report = before.wait_freed(60)
            assert (report.problems, report.survivors) == ((), ()), report
            del before, report
            gc.collect()
            trim(0)
            pids = settled(least)
            least = min(least, len(pids))
            sample = {
                "processes": len(pids),
                "host": private(os.getpid()),
                "children": sum(map(private, pids)),
            }
            sys.stdout.write(json.dumps(sample) + "\n")
            sys.stdout.flush()
        assert host.warnings == ()


if __name__ == "__main__":
    _, data, changes, back, *images = sys.argv
    main(Path(data), int(changes), int(back), [Path(image) for image in images])
