from __future__ import annotations

from statehold.hosting._quarantine import Quarantine
from statehold.sdk import FederationHost, StorageError


class Services:
    """What a host offers to the versions of its apps.

    Attributes:
        federation: how storages call other apps, once somebody has told it.
        quarantine: which plugins may not be loaded into this process; None where nothing is remembered.

    """

    def __init__(self) -> None:
        self.federation: FederationHost | None = None
        self.quarantine: Quarantine | None = None

    def base_url(self, owner: str, app: str) -> str:
        """Return the URL under which `owner.app` is served."""
        return self._known(owner, app).base_url(owner, app)

    def system_token(self, owner: str, app: str) -> str:
        """Return a token that is valid now for the host itself at `owner.app`."""
        return self._known(owner, app).system_token(owner, app)

    def _known(self, owner: str, app: str) -> FederationHost:
        if self.federation is None:
            raise StorageError(
                f"{owner}.{app} cannot be called: nobody has told this host where other apps are",
                hint="Run it under `statehold serve`",
            )
        return self.federation
