from __future__ import annotations

from typing import Protocol


class FederationHost(Protocol):
    """Where other applications are, and how the host itself is known there: `StorageContext.host`."""

    def base_url(self, owner: str, app: str) -> str:
        """Return the URL under which `owner.app` is served, without a slash at its end.

        What follows it is `/api/v2/apps/{owner}/{app}/...`. A StateholdError says that nobody knows the app.
        """

    def system_token(self, owner: str, app: str) -> str:
        """Return a token that is valid now for the host itself, role `sys.System`, at `owner.app`."""
