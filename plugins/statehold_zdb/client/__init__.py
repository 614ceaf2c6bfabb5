"""A client of 0-db, ours or the original."""

from __future__ import annotations

from statehold_zdb.client._client import Client, Place, Pool, ReplyError, ZdbConnectionError

__all__ = ["Client", "Place", "Pool", "ReplyError", "ZdbConnectionError"]
