"""What a host and its sidecars have in memory stays the same, however often versions are replaced.

It is measured in a process of its own. Single readings say little: allocators keep what is freed, and give
it back when they like. So the median of an early window of changes is compared with that of a late one, of
the same size. Both may grow by `MORE` between them. Versions that are not freed take more than that: a
module its instances and its code, and here it would be one for each change; sidecars are counted as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import attrs
import pytest

#: KiB. A sidecar gives 5 MiB back a moment after its storage was opened: before a reading, or behind it.
MORE = {"host": 4 * 1024, "children": 12 * 1024}


@attrs.frozen
class Run:
    """How many changes, which of them are roll-backs, and how many are a window; the first are not judged."""

    changes: int
    back: int
    first: int
    window: int


@pytest.mark.parametrize("isolation", ["sidecar", "wasm"])
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(Run(changes=8, back=4, first=2, window=3), id="small"),
        pytest.param(Run(changes=240, back=6, first=40, window=40), id="large", marks=pytest.mark.soak),
    ],
)
def test_memory_of_host_and_sidecars_stays_flat_while_versions_are_replaced(
    tmp_path, answers, isolation, run
):
    build = answers(isolation)
    command = (
        *(sys.executable, Path(__file__).parent / "memory.py", tmp_path / "data"),
        *(run.changes, run.back, build("1"), build("2")),
    )
    ended = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=1200, check=False
    )
    assert ended.returncode == 0, ended.stderr
    samples = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(samples) == run.changes
    early, late = samples[run.first : run.first + run.window], samples[-run.window :]
    grown = {}
    for of in MORE:
        before, after = (median(sample[of] for sample in window) for window in (early, late))
        grown[of] = after - before
        sys.stdout.write(f"\n{isolation}, {of}: {before:.0f} KiB, then {after:.0f} KiB")
    assert all(grown[of] <= most for of, most in MORE.items()), (grown, samples)
    # No sidecar outlives its version.
    processes = [median(sample["processes"] for sample in window) for window in (early, late)]
    assert processes[1] <= processes[0], samples
