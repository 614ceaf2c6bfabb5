from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from statehold_zstor.placement._rules import Rules, Spot


def place(
    rules: Rules,
    spots: Sequence[Spot],
    *,
    kept: Mapping[int, str] | None = None,
    size: int = 0,
    random: Random | None = None,
) -> dict[int, str]:
    """Return on which backend each shard of an object is to be, by its number, one shard on each.

    Of all ways that the rules allow it is the one in which most of *kept* stay where they are and, among
    those, one that takes backends with much free space.

    Args:
        rules: which are honoured for all shards, those of *kept* too.
        spots: the backends that can be written to, and those that *kept* names if they are to stay.
        kept: the shards that there are already, and where; what is not among *spots* is moved.
        size: the bytes of a shard; a backend with less free space takes none.
        random: draws backends, each with a chance as its free space; without one the freest are taken.

    Raises:
        PlacementError: there is no way.

    """
    raise NotImplementedError(rules, spots, kept, size, random)


def place_some(
    rules: Rules,
    spots: Sequence[Spot],
    *,
    minimum: int,
    kept: Mapping[int, str] | None = None,
    size: int = 0,
    random: Random | None = None,
) -> dict[int, str]:
    """Return as `place`, or where that is impossible as many shards as there are backends for.

    Those are spread over groups as evenly as can be.

    Raises:
        PlacementError: there are backends for fewer than *minimum* shards.

    """
    raise NotImplementedError(rules, spots, minimum, kept, size, random)
