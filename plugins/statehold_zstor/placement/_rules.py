from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import attrs

from statehold.sdk import StateholdError
from statehold_zstor.config import Config


class PlacementError(StateholdError):
    """Shards cannot be placed under the rules on the backends that there are."""


@attrs.frozen(kw_only=True)
class Rules:
    """How shards must be spread.

    However `redundant_groups` groups are lost, and `redundant_nodes` backends of each other group with them,
    `minimal` shards are left.
    """

    minimal: int
    expected: int
    redundant_groups: int = 0
    redundant_nodes: int = 0

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return those of a configuration."""
        return cls(
            minimal=config.minimal_shards,
            expected=config.expected_shards,
            redundant_groups=config.redundant_groups,
            redundant_nodes=config.redundant_nodes,
        )

    def left(self, groups: Iterable[int]) -> int:
        """Return how many shards are left in the worst case of what may be lost.

        Args:
            groups: the group of each shard.

        """
        raise NotImplementedError(groups)

    def hold(self, groups: Iterable[int]) -> bool:
        """Whether shards in these groups are spread as they must be, and are as many as expected."""
        raise NotImplementedError(groups)


@attrs.frozen(kw_only=True)
class Spot:
    """A backend that may take a shard.

    Attributes:
        name: of the backend.
        group: its group.
        free: the bytes that still fit; None where nobody knows.

    """

    name: str
    group: int
    free: int | None = None
