from __future__ import annotations

import attrs

from statehold.sdk import Operation, Rank
from statehold.state._facade import Facade
from statehold.state._rows import Rows


@attrs.frozen(kw_only=True, eq=False)
class Slot:
    """One storage, or one entity of a storage, as an extension's state holds it."""

    storage: str
    entity: str | None = None
    facade: Facade
    rows: Rows
    allowed: frozenset[Operation]
    rank: Rank = Rank.STORAGE

    def __str__(self) -> str:
        """Return the storage's name, with the entity if there is one."""
        return self.storage if self.entity is None else f"{self.storage}({self.entity})"
