from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs


@attrs.define(eq=False)
class Watch:
    """Says what is being done at the moment."""

    doing: str = ""


@contextmanager
def watching(limit: float, report: Callable[[str], None]) -> Iterator[Watch]:
    """Call *report*, on another thread, once for each thing that takes longer than *limit* seconds."""
    watch, done = Watch(), threading.Event()

    def look() -> None:
        before, told = "", ""
        while not done.wait(limit):
            doing = watch.doing
            if doing == before != told:
                report(doing)
                told = doing
            before = doing

    thread = threading.Thread(target=look, name="statehold-watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
