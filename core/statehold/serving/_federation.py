from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

from statehold.sdk import Principal, StorageError
from statehold.serving._tokens import Tokens

_LIFETIME: Final = 600.0
_EARLY: Final = 60.0


class Federation:
    """Says where other applications are, and makes the tokens by which this host is known there.

    Args:
        tokens: those of this host; another host takes them if it has the same key.
        others: the base URLs of apps on other hosts, by `owner.app`.

    """

    def __init__(self, tokens: Tokens, *, others: Mapping[str, str] | None = None) -> None:
        self._tokens = tokens
        self._others = {app: url.rstrip("/") for app, url in (others or {}).items()}
        self._own = ""
        self._issued: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def serve_at(self, url: str) -> None:
        """Note where this host serves its own apps."""
        self._own = url.rstrip("/")

    def base_url(self, owner: str, app: str) -> str:
        """Return the URL under which `owner.app` is served, without a slash at its end.

        Raises:
            StorageError: nobody knows.

        """
        found = self._others.get(f"{owner}.{app}", self._own)
        if not found:
            raise StorageError(
                f"nobody knows where {owner}.{app} is served: this host serves nothing, and no URL is given",
                hint=f"Run it under `statehold serve`, or give the URL: --federation {owner}.{app}=URL",
            )
        return found

    def system_token(self, owner: str, app: str) -> str:
        """Return a token of `sys.System` at `owner.app`, valid for the next minute at least."""
        name = f"{owner}.{app}"
        with self._lock:
            token, until = self._issued.get(name, ("", 0.0))
            if time.monotonic() >= until:
                principal = Principal(name="system", roles={0: frozenset({"sys.System"})})
                token = self._tokens.issue(principal, app=name, lifetime=_LIFETIME)
                self._issued[name] = (token, time.monotonic() + _LIFETIME - _EARLY)
            return token
