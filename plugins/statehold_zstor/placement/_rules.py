from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs

from statehold.sdk import StateholdError


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

    def left(self, groups: Iterable[int]) -> int:
        """Return how many shards are left in the worst case of what may be lost.

        Args:
            groups: the group of each shard.

        """
        left = sorted(max(0, count - self.redundant_nodes) for count in Counter(groups).values())
        return sum(left[: max(0, len(left) - self.redundant_groups)])

    def hold(self, groups: Iterable[int]) -> bool:
        """Whether shards in these groups are spread as they must be, and are as many as expected."""
        groups = list(groups)
        return len(groups) == self.expected and self.left(groups) >= self.minimal


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
