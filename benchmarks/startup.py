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

    def process(*arguments: str) -> float:
        command = [sys.executable, *arguments]
        return timed(lambda: subprocess.run(command, check=True, capture_output=True, env=environ))

    yield within(
        "statehold check of a small package, whole process",
        lambda: process("-m", "statehold", "check", str(SAMPLE)),
        limit=250,
        unit="ms",
        rounds=ROUNDS,
    )
    yield within(
        "import statehold.sdk",
        lambda: process("-c", "import statehold.sdk") - process("-c", "pass"),
        limit=50,
        unit="ms",
        rounds=ROUNDS,
    )
