from __future__ import annotations

from collections.abc import Mapping

from statehold.sdk import IStateStorage, Scope
from statehold.state import Facade


class Partition:
    """One partition of an app version: its open storages, and the facades compiled for its extensions."""

    number: int

    def storage(self, name: str) -> IStateStorage:
        """Return the open storage called *name*, `bills.Scada`: everything it can do, unchecked."""
        raise NotImplementedError

    def facades(self, extension: str) -> Mapping[str, Facade]:
        """Return what the extension may use, by storage name, as its STATE and INTENTS say."""
        raise NotImplementedError

    def scoped(self, storage: str, scope: Scope) -> Facade:
        """Return a facade with every operation that the declaration permits in *scope*."""
        raise NotImplementedError
