from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from statehold.hosting._app import App
from statehold.hosting._steps import Progress, Step
from statehold.hosting._version import AppVersion

#: Seconds from one line about calls in flight to the next.
_TELL = 1.0


@contextmanager
def following(app: App | None, progress: Progress, *, patience: float) -> Iterator[None]:
    """Tell how the versions of an app end that the block replaces, for up to *patience* seconds.

    What others replace while the block waits for its turn is theirs to tell.
    """
    if app is None:
        yield
        return
    with app.noting() as before:
        yield
    end = time.monotonic() + patience
    for version in before:
        if version in app.kept:
            progress(Step(f"keep {version.name}: it stays open, to be rolled back to", version=version.name))
        elif version not in app.versions:
            _follow(version, progress, end)


def _follow(version: AppVersion, progress: Progress, end: float) -> None:
    while not version.wait_idle(max(0.0, min(_TELL, end - time.monotonic()))):
        calls = version.borrowers
        left = end - time.monotonic()
        more = "" if left > 0 else "; it is freed when the last one has returned"
        progress(Step(f"drain {version.name}: {calls} calls go on{more}", version=version.name, calls=calls))
        if left <= 0:
            return
    report = version.wait_freed()
    problems = "".join(f"; {problem}" for problem in report.problems)
    progress(
        Step(
            f"free {version.name}: {report.storages} storages are freed{problems}",
            version=version.name,
            storages=report.storages,
            problems=list(report.problems),
        )
    )
