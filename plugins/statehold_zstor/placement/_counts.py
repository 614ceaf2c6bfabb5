"""How many shards each group gets.

Let a group with c shards have e = max(0, c - redundant_nodes) left if it is not lost as a whole. The worst
groups to lose are those with the largest e, and the sum of the r largest of some numbers is the least, over
all T, of r * T + sum(max(0, e - T)). So the rules hold if and only if for some T

    sum(min(e, T)) >= minimal + r * T

For a given T that is a sum over groups. A shard that adds nothing to it is wasted, and expected - minimal -
r * T may be. So groups are gone through one by one, and for each number of shards placed and of shards wasted
the best way is kept: all in time polynomial in groups, backends and shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from statehold_zstor.placement._rules import Rules

#: The shards of a group, and of those before it.
_Before: TypeAlias = "tuple[int, _Before] | None"


def best_counts(rules: Rules, worths: Sequence[Sequence[float]]) -> list[int] | None:
    """Return how many shards each group gets, so that the rules hold and the worth is the greatest.

    Args:
        rules: that hold.
        worths: for each group, what each of its backends is worth, the best first.

    """
    largest = max(map(len, worths), default=0)
    spare, lost = rules.expected - rules.minimal, rules.redundant_groups
    levels = range(1, min(spare // lost, largest) + 1) if lost else [max(1, largest)]
    ways = (_best(rules, worths, level, spare - lost * level) for level in levels)
    found = max((way for way in ways if way is not None), key=lambda way: way[0], default=None)
    return found[1] if found is not None else None


def _best(
    rules: Rules, worths: Sequence[Sequence[float]], level: int, waste: int
) -> tuple[float, list[int]] | None:
    """Return the best way in which at most *waste* shards add nothing to the sum for T = *level*."""
    ways: list[dict[int, tuple[float, _Before]]] = [{} for _ in range(waste + 1)]
    ways[0][0] = (0.0, None)
    room = sum(map(len, worths))
    for own in worths:
        room -= len(own)
        steps = _steps(rules, own, level)
        after: list[dict[int, tuple[float, _Before]]] = [{} for _ in range(waste + 1)]
        for wasted, by_placed in enumerate(ways):
            for placed, (worth, before) in by_placed.items():
                for count, more, added in steps:
                    total, spoilt = placed + count, wasted + more
                    if total > rules.expected or spoilt > waste:
                        break
                    if total + room < rules.expected:
                        continue
                    sum_ = worth + added
                    known = after[spoilt].get(total)
                    if known is None or known[0] < sum_:
                        after[spoilt][total] = (sum_, (count, before))
        ways = after
    ends = [by_placed[rules.expected] for by_placed in ways if rules.expected in by_placed]
    if not ends:
        return None
    worth, chain = max(ends, key=lambda way: way[0])
    counts: list[int] = []
    while chain is not None:
        count, chain = chain
        counts.append(count)
    return worth, counts[::-1]


def _steps(rules: Rules, worths: Sequence[float], level: int) -> list[tuple[int, int, float]]:
    """Return for each number of shards of a group how many are wasted, and what they are worth."""
    steps, sum_ = [], 0.0
    for count in range(len(worths) + 1):
        useful = min(max(0, count - rules.redundant_nodes), level)
        steps.append((count, count - useful, sum_))
        if count < len(worths):
            sum_ += worths[count]
    return steps
