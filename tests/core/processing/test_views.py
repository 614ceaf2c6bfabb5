from __future__ import annotations

from contextlib import suppress

import pytest

from statehold.processing import ForbiddenError, RequestError, UnknownError
from statehold.sdk import Principal

READER = Principal(name="ann", kind=1, roles={1: frozenset({"shop.Reader"})})


@pytest.fixture
def filled(shop):
    for number, article in enumerate(["pen", "cup", "hat", "bag"]):
        shop.sell(article, number + 1)

    def view(principal=None, **constraints):
        constraints.setdefault("where", {"Zone": 1})
        request = shop.request(**({"principal": principal} if principal else {}))
        return shop.runtime.view(request, "shop.Stock", constraints=constraints)

    return view


def names(rows):
    return [row["Article"] for row in rows]


def test_rows_come_in_the_order_of_the_clustering_columns(filled):
    assert filled()[0] == {"Zone": 1, "Article": "bag", "Sold": 4, "Count": 1}
    assert names(filled()) == ["bag", "cup", "hat", "pen"]
    assert filled(where={"Zone": 2}) == []
    assert names(filled(where={"Zone": {"$in": [2, 1]}})) == ["bag", "cup", "hat", "pen"]


def test_constraints_apply_to_rows(filled):
    assert names(filled(order="-Article", limit=2)) == ["pen", "hat"]
    assert names(filled(order="Article", skip=3)) == ["pen"]
    assert names(filled(order="Sold")) == ["pen", "cup", "hat", "bag"]
    assert names(filled(where={"Zone": 1, "Sold": {"$gt": 2}})) == ["bag", "hat"]
    assert names(filled(where={"Zone": 1, "Article": "cup"})) == ["cup"]
    assert names(filled(where={"Zone": 1, "Article": {"$gt": "cup", "$lt": "pen"}})) == ["hat"]
    assert names(filled(where={"Zone": 1, "Article": {"$gte": "cup", "$lte": "hat"}})) == ["cup", "hat"]
    assert names(filled(where={"Zone": 1, "Article": {"$in": ["pen", "bag"]}})) == ["bag", "pen"]
    assert filled(keys="Sold", limit=1) == [{"Sold": 4}]


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ({"where": {}}, "where: shop.Stock is read by its whole partition key, and Zone is missing"),
        ({"where": {"Zone": {"$gt": 1}}}, "Zone is missing"),
        ({"where": {"Zone": "1"}}, "Zone: expected int32, got '1'"),
        ({"where": {"Zone": 1, "Article": "x" * 41}}, "where: .*Article: expected at most 40 characters"),
        ({"where": {"Zone": 1, "Nope": 1}}, "has no field 'Nope'"),
        ({"keys": "Nope"}, "keys: shop.Stock has no field 'Nope'"),
        ({"include": "Zone"}, "nothing inside of them"),
    ],
)
def test_what_does_not_fit_the_view_is_explained(filled, constraints, message):
    with pytest.raises(RequestError, match=message):
        filled(**constraints)


@pytest.mark.parametrize("odd", ["x" * 70_000, "\0", "\ud800", ""])
@pytest.mark.parametrize("operator", ["$eq", "$gt", "$gte", "$lt", "$in"])
def test_no_text_is_more_than_a_refusal_or_no_rows(filled, operator, odd):
    given = [odd, odd] if operator == "$in" else odd
    with suppress(RequestError):
        assert isinstance(filled(where={"Zone": 1, "Article": {operator: given}}), list)


def test_so_many_partitions_are_too_many(shop):
    where = {"Day": {"$in": list(range(1000))}, "Zone": {"$in": list(range(10))}}
    assert (
        shop.runtime.view(shop.request(), "shop.Stock", constraints={"where": {"Zone": where["Zone"]}}) == []
    )


def test_only_columns_that_are_granted_are_shown(filled):
    assert filled(READER)[0] == {"Zone": 1, "Article": "bag", "Sold": 4}
    for constraints in ({"keys": "Count"}, {"order": "Count"}, {"where": {"Zone": 1, "Count": 1}}):
        with pytest.raises(ForbiddenError, match=r"SELECT\(Count\) on shop\.Stock"):
            filled(READER, **constraints)


def test_views_that_are_not_there_or_not_granted_are_refused(shop):
    for name in ("shop.Nope", "shop.Article"):
        with pytest.raises(UnknownError, match="has no view"):
            shop.runtime.view(shop.request(), name, constraints={})
    with pytest.raises(ForbiddenError):
        shop.runtime.view(shop.request(principal=None), "shop.Stock", constraints={"where": {"Zone": 1}})


def test_rows_are_handed_on_in_chunks(filled, shop):
    chunks = []
    where = {"where": {"Zone": 1}}
    assert shop.runtime.view(shop.request(), "shop.Stock", constraints=where, sink=chunks.append) == []
    assert [len(chunk) for chunk in chunks] == [4]
