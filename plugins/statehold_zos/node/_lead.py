from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class Lead:
    """Who of all processes that have a node open looks after it: the first, as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "node.lock"
        self._held: int | None = None

    def take(self) -> bool:
        """Take the lead, or keep it; False where another process has it."""
        if self._held is None:
            held = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
                return False
            self._held = held
        return True

    def give_up(self) -> None:
        """Let another process have it; may be called twice."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    @contextmanager
    def once(self) -> Generator[bool]:
        """Take the lead for a while, and say whether that worked."""
        had = self._held is not None
        leads = self.take()
        try:
            yield leads
        finally:
            if not had:
                self.give_up()
