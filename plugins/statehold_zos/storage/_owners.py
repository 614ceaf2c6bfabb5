from __future__ import annotations

from statehold.sdk import StorageContext


def owner_of(ctx: StorageContext) -> str:
    """Return what the owners of all that a storage reserves begin with; a workspace's number follows."""
    return f"{ctx.app}/{ctx.storage}/{ctx.partition}/"
