from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

_BUSY_SECONDS: Final = 30.0


def connect(path: Path, synchronous: str, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode that any thread may use."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute(f"PRAGMA query_only={int(read_only)}")
    except BaseException:
        connection.close()
        raise
    return connection
