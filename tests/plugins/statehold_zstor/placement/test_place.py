from __future__ import annotations

import itertools
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statehold_zstor.placement import PlacementError, Rules, Spot, place, place_some


@st.composite
def problems(draw: st.DrawFn) -> tuple[Rules, list[Spot]]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) <= 9))
    spots = [
        Spot(name=f"{group}.{number}", group=group, free=draw(st.integers(0, 30)))
        for group, size in enumerate(sizes)
        for number in range(size)
    ]
    expected = draw(st.integers(1, min(7, len(spots))))
    rules = Rules(
        minimal=draw(st.integers(1, expected)),
        expected=expected,
        redundant_groups=draw(st.integers(0, 2)),
        redundant_nodes=draw(st.integers(0, 2)),
    )
    return rules, spots


def survives_everything(rules: Rules, chosen: list[Spot]) -> bool:
    """Lose every set of groups, and every set of backends of each other group, one after another."""
    groups = {spot.group for spot in chosen}
    lost = min(rules.redundant_groups, len(groups))
    for gone in itertools.combinations(sorted(groups), lost):
        ways = []
        for group in sorted(groups - set(gone)):
            own = [spot.name for spot in chosen if spot.group == group]
            ways.append(list(itertools.combinations(own, min(rules.redundant_nodes, len(own)))))
        left = [spot for spot in chosen if spot.group not in gone]
        for broken in itertools.product(*ways):
            names = set(itertools.chain.from_iterable(broken))
            if sum(spot.name not in names for spot in left) < rules.minimal:
                return False
    return True


def every_way(rules: Rules, spots: list[Spot]) -> list[list[Spot]]:
    ways = map(list, itertools.combinations(spots, rules.expected))
    return [chosen for chosen in ways if survives_everything(rules, chosen)]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(problems(), st.integers(0, 20), st.none() | st.integers(0, 99))
def test_a_place_is_found_whenever_a_search_of_all_ways_finds_one(
    problem: tuple[Rules, list[Spot]], size: int, seed: int | None
) -> None:
    rules, spots = problem
    fit = [spot for spot in spots if (spot.free or 0) >= max(1, size)]
    ways = every_way(rules, fit)
    try:
        placed = place(rules, spots, size=size, random=None if seed is None else Random(seed))
    except PlacementError:
        assert not ways
        return
    by_name = {spot.name: spot for spot in fit}
    assert sorted(placed) == list(range(rules.expected))
    assert len(set(placed.values())) == rules.expected
    assert survives_everything(rules, [by_name[name] for name in placed.values()])


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(problems(), st.data())
def test_most_shards_stay_where_they_are_and_then_the_freest_backends_are_taken(
    problem: tuple[Rules, list[Spot]], data: st.DataObject
) -> None:
    rules, spots = problem
    names = data.draw(st.lists(st.sampled_from([spot.name for spot in spots]), unique=True))
    kept = dict(enumerate(names[: rules.expected]))
    able = [spot for spot in spots if spot.name in kept.values() or spot.free]
    ways = every_way(rules, able)
    if not ways:
        with pytest.raises(PlacementError):
            place(rules, spots, kept=kept)
        return
    placed = place(rules, spots, kept=kept)
    free = {spot.name: spot.free or 0 for spot in spots}

    def worth(chosen: list[str]) -> tuple[int, int]:
        return len(set(chosen) & set(kept.values())), sum(free[name] for name in chosen)

    assert worth(list(placed.values())) == max(worth([spot.name for spot in way]) for way in ways)
    stayed = {shard: name for shard, name in kept.items() if name in placed.values()}
    assert {shard: placed[shard] for shard in stayed} == stayed


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_the_rules_hold_exactly_where_losing_everything_that_may_be_lost_leaves_enough(
    problem: tuple[Rules, list[Spot]],
) -> None:
    rules, spots = problem
    chosen = spots[: rules.expected]
    assert rules.hold([spot.group for spot in chosen]) == survives_everything(rules, chosen)


def test_a_rebuild_moves_a_kept_shard_where_it_would_break_the_rules() -> None:
    rules = Rules(minimal=2, expected=4, redundant_groups=1)
    spots = [Spot(name=f"{group}.{number}", group=group) for group in range(3) for number in range(4)]
    kept = {0: "0.0", 1: "0.1", 2: "0.2", 3: "1.0"}
    placed = place(rules, spots, kept=kept)
    groups = [int(name[0]) for name in placed.values()]
    assert rules.hold(groups)
    assert sum(placed[shard] == name for shard, name in kept.items()) == 3


def test_a_group_that_is_too_full_does_not_shift_the_numbers_of_the_others() -> None:
    rules = Rules(minimal=2, expected=4, redundant_groups=1)
    spots = [
        Spot(name="small", group=0, free=1),
        *(Spot(name=f"{group}.{number}", group=group, free=100) for group in (1, 2) for number in range(3)),
    ]
    placed = place(rules, spots, size=50)
    assert Counter(name[0] for name in placed.values()) == {"1": 2, "2": 2}


@pytest.mark.parametrize(
    ("shards", "groups", "backends"), [(15, 4, 4), (20, 4, 5), (20, 5, 4), (60, 10, 10), (128, 12, 16)]
)
def test_many_groups_and_shards_are_no_matter_of_billions_of_ways(
    shards: int, groups: int, backends: int
) -> None:
    rules = Rules(minimal=shards // 2, expected=shards, redundant_groups=1, redundant_nodes=1)
    spots = [Spot(name=f"{g}.{b}", group=g, free=100 + b) for g in range(groups) for b in range(backends)]
    placed = place(rules, spots, random=Random(2))
    assert rules.hold([int(name.split(".")[0]) for name in placed.values()])


def test_free_backends_are_drawn_more_often_than_full_ones() -> None:
    rules = Rules(minimal=1, expected=2)
    spots = [Spot(name=f"b{number}", group=0, free=1 + 1000 * number) for number in range(6)]
    random = Random(3)
    drawn = Counter(name for _ in range(400) for name in place(rules, spots, random=random).values())
    assert drawn["b5"] > drawn["b2"] > drawn["b0"]


def test_who_does_not_tell_its_free_space_is_taken_for_one_of_the_others() -> None:
    spots = [
        Spot(name="a", group=0, free=10),
        Spot(name="b", group=0),
        Spot(name="c", group=0, free=90),
    ]
    rules = Rules(minimal=1, expected=2)
    assert set(place(rules, spots).values()) == {"b", "c"}


def test_the_error_says_how_many_backends_are_too_full() -> None:
    spots = [Spot(name="a", group=0, free=10), Spot(name="b", group=0, free=90)]
    with pytest.raises(
        PlacementError, match=r"1 backends in 1 groups \(1 more have less than 50 bytes free\)"
    ):
        place(Rules(minimal=1, expected=2), spots, size=50)


def test_some_shards_are_spread_over_groups_evenly_where_not_all_can_be_placed() -> None:
    rules = Rules(minimal=2, expected=6, redundant_groups=1)
    spots = [Spot(name=f"0.{number}", group=0) for number in range(4)] + [Spot(name="1.0", group=1)]
    placed = place_some(rules, spots, minimum=3)
    assert len(placed) == 5
    narrow = place_some(Rules(minimal=2, expected=2, redundant_groups=1), spots, minimum=2)
    assert Counter(name[0] for name in narrow.values()) == {"0": 1, "1": 1}


def test_too_few_backends_even_for_the_minimum_are_an_error() -> None:
    with pytest.raises(PlacementError, match="for 2 of 6 shards, expected at least 3"):
        place_some(Rules(minimal=2, expected=6), [Spot(name=str(n), group=n) for n in range(2)], minimum=3)
