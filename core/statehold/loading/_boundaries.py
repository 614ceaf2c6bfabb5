from __future__ import annotations

from functools import partial

from statehold.sdk import Provider, Rank


def why_inprocess(provider: Provider) -> str:
    """Return why storages of a provider can run in the host's process alone; empty where they need not."""
    if provider.inprocess_only:
        return provider.inprocess_only
    if provider.rank is Rank.ROWS:
        return "what it writes is a part of the host's own commit"
    if provider.entity_key is not None:
        return "it makes the keys of the app's entities itself"
    return ""


def runs_in(provider: Provider) -> str:
    """Return where the storages of a provider run: `inprocess`, `sidecar` or `wasm`."""
    opening = provider.open
    module = getattr(opening.func if isinstance(opening, partial) else opening, "__module__", None) or ""
    for isolation in ("sidecar", "wasm"):
        if module.startswith(f"statehold.loading.{isolation}."):
            return isolation
    return "inprocess"
