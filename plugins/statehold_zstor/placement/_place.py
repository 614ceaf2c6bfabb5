from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from statehold_zstor.placement._counts import best_counts
from statehold_zstor.placement._rules import PlacementError, Rules, Spot


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
    stay = _stay(rules, spots, kept or {})
    usable = _usable(spots, stay, size)
    groups = sorted({spot.group for spot in usable})
    ordered = _ordered(usable, stay, rules, random)
    by_group = [[(worth, spot) for worth, spot in ordered if spot.group == group] for group in groups]
    counts = best_counts(rules, [[worth for worth, _ in own] for own in by_group])
    if counts is None:
        raise PlacementError(_why_not(rules, spots, usable, size), hint="Add backends, or groups, or space")
    chosen = [spot for own, count in zip(by_group, counts, strict=True) for _, spot in own[:count]]
    return _numbered(rules, chosen, stay, random)


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
    try:
        return place(rules, spots, kept=kept, size=size, random=random)
    except PlacementError as error:
        stay = _stay(rules, spots, kept or {})
        usable = _usable(spots, stay, size)
        if len(usable) < minimum:
            raise PlacementError(
                f"there are backends for {len(usable)} of {rules.expected} shards, "
                f"expected at least {minimum}",
                hint="Add backends, or space",
            ) from error
    # The second backend of a group comes after the first of every other; those that keep a shard come first.
    turns: list[tuple[int, float, Spot]] = []
    seen: dict[int, int] = {}
    for worth, spot in _ordered(usable, stay, rules, random):
        seen[spot.group] = turn = seen.get(spot.group, -1) + 1
        turns.append((-1 if spot.name in stay else turn, -worth, spot))
    turns.sort(key=lambda each: each[:2])
    return _numbered(rules, [spot for *_, spot in turns[: rules.expected]], stay, random)


def _stay(rules: Rules, spots: Sequence[Spot], kept: Mapping[int, str]) -> dict[str, int]:
    """Return the shards that can stay, by backend; one on each."""
    names = {spot.name for spot in spots}
    stay: dict[str, int] = {}
    for shard, name in sorted(kept.items()):
        if name in names and 0 <= shard < rules.expected:
            stay.setdefault(name, shard)
    return stay


def _usable(spots: Sequence[Spot], stay: Mapping[str, int], size: int) -> list[Spot]:
    return [spot for spot in spots if spot.name in stay or spot.free is None or spot.free >= max(1, size)]


def _ordered(
    spots: Sequence[Spot], stay: Mapping[str, int], rules: Rules, random: Random | None
) -> list[tuple[float, Spot]]:
    """Return what each backend is worth, the best first: one that keeps a shard more than all free space."""
    known = [spot.free for spot in spots if spot.free is not None]
    most = max(known, default=0) or 1
    usual = sum(known) / len(known) if known else most
    found = []
    for spot in spots:
        worth = (usual if spot.free is None else spot.free) / most
        if random is not None:
            # The n largest of such numbers are a draw without putting back, with chances as the weights.
            worth = random.random() ** (1 / worth) if worth > 0 else 0.0
        found.append((worth + (rules.expected + 1 if spot.name in stay else 0), spot))
    found.sort(key=lambda each: each[0], reverse=True)
    return found


def _numbered(
    rules: Rules, chosen: Sequence[Spot], stay: Mapping[str, int], random: Random | None
) -> dict[int, str]:
    """Return which of the *chosen* backends gets which shard."""
    placed = {stay[spot.name]: spot.name for spot in chosen if spot.name in stay}
    others = [spot.name for spot in chosen if spot.name not in stay]
    if random is not None:
        random.shuffle(others)
    free = (shard for shard in range(rules.expected) if shard not in placed)
    placed.update(zip(free, others, strict=False))
    return dict(sorted(placed.items()))


def _why_not(rules: Rules, spots: Sequence[Spot], usable: Sequence[Spot], size: int) -> str:
    groups = {spot.group for spot in usable}
    backends = f"{len(usable)} backends in {len(groups)} groups"
    if len(usable) < len(spots):
        backends += f" ({len(spots) - len(usable)} more have less than {size:,} bytes free)"
    return (
        f"{rules.expected} shards cannot be placed on {backends} so that {rules.minimal} are left "
        f"when {rules.redundant_groups} groups are lost, and {rules.redundant_nodes} backends of each other"
    )
