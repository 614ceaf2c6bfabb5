"""What a person waits for before anything happens: whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks._measure import Row, timed, within

SAMPLE = Path(__file__).parent.parent / "app_images" / "acme.hello"
ROUNDS = 9


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""

    # Compiled once, as wherever it is installed.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout

    yield within(
        "statehold check of a small package, whole process",
        lambda: timed(lambda: run("-m", "statehold", "check", str(SAMPLE))),
        limit=250,
        unit="ms",
        rounds=ROUNDS,
    )
    clock = "import time; start = time.perf_counter()"
    yield within(
        "import statehold.sdk, seen by the process that does it",
        lambda: float(run("-c", f"{clock}; import statehold.sdk; print(time.perf_counter() - start)")),
        limit=50,
        unit="ms",
        rounds=ROUNDS,
    )
