from __future__ import annotations

from enum import IntEnum

import attrs

from statehold.sdk import Operation
from statehold.state._facade import Facade
from statehold.state._rows import Rows


class Rank(IntEnum):
    """When the intents of a storage are applied; within one rank, in the order of the slots."""

    #: Stands on the row store: all of these are one atomic commit.
    ROWS = 0
    STORAGE = 1
    #: Reaches the world outside, such as mail: after all else, and never merged.
    EFFECT = 2


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
