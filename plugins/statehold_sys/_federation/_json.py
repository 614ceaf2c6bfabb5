from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


def json_object(body: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object that *body* is, None if it is none, or one nested too deeply to be read."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
