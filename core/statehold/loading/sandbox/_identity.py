"""Who a process is."""

from __future__ import annotations

import hashlib

FIRST_UID = 0x7000_0000  # above what distributions and containers hand out
_UIDS = 0x0FF0_0000


def app_uid(app: str) -> int:
    """Return the user and group id of the processes of *app* ("acme.bills"): always the same, above 1,879,048,192."""
    return FIRST_UID + 1 + int.from_bytes(hashlib.sha256(app.encode()).digest()[:8]) % (_UIDS - 1)
