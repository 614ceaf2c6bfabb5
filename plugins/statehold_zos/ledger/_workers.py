from __future__ import annotations

import fcntl
import os
import secrets
import threading
from pathlib import Path


class Workers:
    """Who is at work: a locked file for each ledger that is open anywhere, named by its token.

    The kernel lets the lock go when its process ends, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        self._rows: set[str] = set()
        while True:
            self.token = secrets.token_hex(8)
            self._held = os.open(folder / self.token, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_EX)
            if os.fstat(self._held).st_nlink:  # else it was swept before it was locked
                return
            os.close(self._held)

    def begin(self, row: str) -> None:
        """Remember that a thread of this process is at work on a row."""
        with self._lock:
            self._rows.add(row)

    def end(self, row: str) -> None:
        """Remember that none is any more."""
        with self._lock:
            self._rows.discard(row)

    def working(self, worker: str, row: str) -> bool:
        """Say whether *worker* is still at work on *row*."""
        if worker == self.token:
            with self._lock:
                return row in self._rows
        return bool(worker) and self._lives(worker)

    def sweep(self) -> None:
        """Remove the files of those who ended: no file and no lock say the same."""
        for path in self._folder.iterdir():
            if path.name == self.token:
                continue
            held = _open(path)
            if held is None:
                continue
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            except BlockingIOError:
                pass
            finally:
                os.close(held)

    def close(self) -> None:
        """Let the lock go: rows that this process was at work on are stale from now on."""
        if self._held >= 0:
            (self._folder / self.token).unlink(missing_ok=True)
            os.close(self._held)
            self._held = -1

    def _lives(self, worker: str) -> bool:
        held = _open(self._folder / worker)
        if held is None:
            return False
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(held)


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
