"""A host that knows one other application, on a server of this machine."""

from __future__ import annotations

import attrs

SYSTEM_TOKEN = "system-token-of-the-host"


@attrs.frozen
class Elsewhere:
    """Every application is at one port; the token tells whose it is."""

    port: int

    def base_url(self, owner: str, app: str) -> str:
        return f"http://127.0.0.1:{self.port}"

    def system_token(self, owner: str, app: str) -> str:
        return f"{SYSTEM_TOKEN}.{owner}.{app}"
