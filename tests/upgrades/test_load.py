"""No call fails, and none is answered by a freed version, while versions are replaced and rolled back to.

The calls come over HTTP from another process. `STATEHOLD_LOAD_CALLS=200000` gives soak runs another size; p99
is judged there alone, where there are enough calls in the time of each swap; that of whole changes is only
printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from array import array
from bisect import bisect_right
from pathlib import Path

import attrs
import pytest

from statehold.hosting import Host
from statehold.processing import Runtime
from statehold.serving import Server, Tokens, own_process

APP = "acme.answers"
PATH = "/api/v2/apps/acme/answers/workspaces/1/queries/answers.Which"
CALLS = int(os.environ.get("STATEHOLD_LOAD_CALLS", "1000000"))
#: As many as the two processors of a small machine keep up with, so that answers do not wait for each other.
CONNECTIONS = 4
#: Seconds behind a swap that still count as its time.
AFTER = 0.05


@attrs.define
class Window:
    """The time of one change: from its beginning until the version before is freed or kept."""

    begun: float
    swapped: float = 0.0
    current: float = 0.0
    ended: float = 0.0


class Changes:
    """Replaces versions and rolls back, and knows when which version was open."""

    def __init__(self, host, build):
        self.host, self.build = host, build
        self.windows = []
        self.opened = {}
        self.freed = {}
        self.number = 0

    def upgrade(self):
        self.number += 1
        image = self.build(str(self.number))
        self._change(lambda progress: self.host.deploy(image, progress=progress))

    def roll_back(self):
        self._change(lambda progress: self.host.rollback(APP, progress=progress))

    def _change(self, change):
        window = Window(time.monotonic())

        def progress(step):
            if step.stage == "make":
                window.swapped = time.monotonic()
            elif step.stage == "free":
                self.freed.setdefault(int(step.figures["version"]), []).append(time.monotonic())

        with self.host.following(APP, progress):
            version = change(progress)
            window.current = time.monotonic()
        window.ended = time.monotonic()
        self.opened.setdefault(int(version.name), []).append(window.begun)
        self.windows.append(window)

    def could_answer(self, version, begun, ended):
        """Return whether a version was open at some moment of a call."""
        opened, freed = self.opened.get(version, ()), self.freed.get(version, ())
        # What was opened again was open from its n-th opening on, until it was freed for the n-th time.
        return any(
            start <= ended and (place >= len(freed) or begun <= freed[place])
            for place, start in enumerate(opened)
        )


class Calls:
    """All calls of a run."""

    def __init__(self, file: Path) -> None:
        count = file.stat().st_size // 20
        self.begins, self.seconds, self.versions = array("d"), array("d"), array("i")
        with file.open("rb") as read:
            for column in (self.begins, self.seconds, self.versions):
                column.fromfile(read, count)

    def split(self, spans):
        """Return how long the calls took that met one of the spans, which are in order, and the others."""
        starts = [start for start, _ in spans]
        inside, outside = [], []
        for begun, seconds in zip(self.begins, self.seconds, strict=True):
            place = bisect_right(starts, begun + seconds) - 1
            met = place >= 0 and begun <= spans[place][1]
            (inside if met else outside).append(seconds)
        return sorted(inside), sorted(outside)


@pytest.fixture(autouse=True)
def serving_process():
    """Let this process be what `statehold serve` is."""
    with own_process():
        yield


def p99(seconds):
    return seconds[len(seconds) * 99 // 100] * 1000 if seconds else 0.0


@pytest.mark.parametrize("isolation", ["inprocess", "sidecar", "wasm"])
@pytest.mark.parametrize("keep", [0, 1], ids=["", "keeping one"])
@pytest.mark.parametrize(
    ("calls", "upgrades", "roll_backs"),
    [
        pytest.param(3_000, 5, 2, id="small"),
        pytest.param(CALLS, 100, 20, id="large", marks=pytest.mark.soak),
    ],
)
def test_no_call_fails_and_none_is_answered_by_a_freed_version_while_versions_are_replaced(
    tmp_path, answers, isolation, keep, calls, upgrades, roll_backs
):
    marks = upgrades + roll_backs + 1
    with (
        Host(tmp_path / "data", environ={}, keep=keep) as host,
        Runtime(host) as runtime,
        Server(host, runtime, tokens=Tokens(b"k" * 32), data_folder=tmp_path) as server,
    ):
        changes = Changes(host, answers(isolation))
        changes.upgrade()
        changes.windows.clear()
        port = server.url.rpartition(":")[2]
        file = tmp_path / "calls"
        command = (
            *(sys.executable, Path(__file__).parent / "load.py"),
            *(port, PATH, calls, CONNECTIONS, marks, file),
        )
        with subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as load:
            for mark in range(1, marks):
                assert load.stdout.readline() == f"{mark}\n"
                # Roll-backs are spread evenly over the upgrades.
                is_back = mark * roll_backs // (marks - 1) > (mark - 1) * roll_backs // (marks - 1)
                changes.roll_back() if is_back else changes.upgrade()
            _, failed = load.communicate()
        assert (load.returncode, failed) == (0, "")
        assert host.warnings == ()
    found = Calls(file)
    assert len(found.versions) >= calls
    assert len(changes.windows) == upgrades + roll_backs
    assert -1 not in found.versions
    late = [
        (version, begun, seconds)
        for version, begun, seconds in zip(found.versions, found.begins, found.seconds, strict=True)
        if not changes.could_answer(version, begun, begun + seconds)
    ]
    assert late == []
    assert len(set(found.versions)) > upgrades // 2, set(found.versions)
    report(changes, found, f"{isolation}, keep={keep}", judged=calls >= 200_000)


def report(changes, found, name, *, judged):
    """Print the figures, and judge those of a run that is large enough."""
    swaps, quiet = found.split([(one.swapped, one.current + AFTER) for one in changes.windows])
    whole, outside = found.split([(one.begun, one.ended) for one in changes.windows])
    steps = sorted((one.current - one.swapped) * 1000 for one in changes.windows)
    lasted = sorted((one.ended - one.begun) * 1000 for one in changes.windows)
    rate = len(found.begins) / (found.begins[-1] - found.begins[0])
    lines = (
        f"{name}: {len(found.begins)} calls, {rate:.0f} a second, {len(changes.windows)} changes",
        f"p99 without changes {p99(outside):.2f} ms, of {len(outside)} calls",
        f"p99 without swaps   {p99(quiet):.2f} ms, of {len(quiet)} calls",
        f"p99 during swaps    {p99(swaps):.2f} ms, of {len(swaps)} calls",
        f"p99 during changes  {p99(whole):.2f} ms, of {len(whole)} calls",
        f"registered and swapped in {steps[len(steps) // 2]:.1f} ms",
        f"with all it takes {lasted[len(lasted) // 2]:.0f} ms",
    )
    sys.stdout.write("\n" + "\n  ".join(lines) + "\n")
    if judged:
        assert p99(swaps) <= 2 * p99(outside)
