from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from statehold.hosting._ordering import opening_order


def test_storages_that_do_not_depend_on_each_other_keep_their_order():
    order, problems = opening_order({"p.B": (), "p.A": (), "p.C": ()})
    assert list(order) == ["p.B", "p.A", "p.C"]
    assert problems == ()


def test_what_is_required_is_opened_first_and_named_in_full():
    order, problems = opening_order({"p.Orders": ("Cache", "q.Table"), "p.Cache": (), "q.Table": ()})
    assert list(order.items()) == [("p.Cache", ()), ("q.Table", ()), ("p.Orders", ("p.Cache", "q.Table"))]
    assert problems == ()


def test_an_unknown_storage_is_named_with_the_nearest_one():
    _, problems = opening_order({"p.Orders": ("Cahce",), "p.Cache": ()})
    assert problems == (
        "p.Orders requires the storage 'p.Cahce', which the app does not have. Did you mean 'p.Cache'?",
    )


def test_a_circle_is_told_once_with_all_its_members():
    _, problems = opening_order({"p.A": ("B",), "p.B": ("C",), "p.C": ("A",)})
    assert problems == ("storages require each other in a circle: p.A -> p.B -> p.C -> p.A",)


@given(st.permutations(range(8)), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_every_storage_comes_after_all_that_it_requires(names, pairs):
    # An edge always leads to a smaller number, so there is no circle.
    requires = {
        f"p.S{name}": tuple({f"S{low}" for high, low in pairs if high == name and low < high})
        for name in names
    }
    order, problems = opening_order(requires)
    assert problems == ()
    place = {name: number for number, name in enumerate(order)}
    assert place.keys() == requires.keys()
    assert all(place[name] > place[needed] for name, needs in order.items() for needed in needs)
