from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.processing import RequestError
from statehold.processing.constraints import (
    Column,
    Columns,
    Everything,
    Selector,
    fixed,
    orders_like,
    parse_constraints,
)
from statehold.sdk import DataType, Field

FIELDS = {
    "Name": DataType.TEXT,
    "Age": DataType.INT32,
    "Photo": DataType.BYTES,
    "Weight": DataType.FLOAT64,
    "Alive": DataType.BOOL,
    "Lines": DataType.OBJECT,
}
COLUMNS = Columns(
    "test.People",
    {name: Column(Field(name, kind), lambda row, name=name: row.get(name)) for name, kind in FIELDS.items()},
)
PEOPLE = [
    {"Name": "Eve", "Age": 30, "Photo": b"\x01"},
    {"Name": "Bob", "Age": 20},
    {"Name": "Ann", "Age": None},
    {"Name": "Bob", "Age": 10, "Alive": True},
]


def select(rows=PEOPLE, *, chunk=100, most=1000, render=lambda row: row, **constraints):
    chunks = []
    selector = Selector(
        parse_constraints(constraints), COLUMNS, render=render, sink=chunks.append, chunk=chunk, most=most
    )
    taken = 0
    for row in rows:
        if selector.is_full:
            break
        selector.take(row)
        taken += 1
    selector.finish()
    assert selector.count == sum(map(len, chunks))
    return [row for chunk in chunks for row in chunk], chunks, taken


def ages(**constraints):
    return [row["Age"] for row in select(**constraints)[0]]


def test_without_constraints_all_come_as_they_are():
    assert select()[0] == PEOPLE


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"Name": "Bob"}, [20, 10]),
        ({"Name": "Bob", "Age": {"$gt": 10}}, [20]),
        ({"Age": {"$gte": 20, "$lt": 30}}, [20]),
        ({"Age": {"$lte": 20}}, [20, 10]),
        ({"Age": {"$ne": 20}}, [30, None, 10]),
        ({"Age": None}, [None]),
        ({"Age": {"$ne": None}}, [30, 20, 10]),
        ({"Age": {"$in": [30, None, 7]}}, [30, None]),
        ({"Photo": "AQ=="}, [30]),
        ({"Alive": True}, [10]),
        ({"Name": {"$eq": "Ann", "$in": ["Ann"]}}, [None]),
        ({}, [30, 20, None, 10]),
    ],
)
def test_where_compares_values_of_the_field_s_type(where, expected):
    assert ages(where=where) == expected


def test_order_is_stable_and_null_comes_first():
    assert ages(order="Age") == [None, 10, 20, 30]
    assert ages(order="-Age") == [30, 20, 10, None]
    assert ages(order="Name,-Age") == [None, 20, 10, 30]


def test_limit_and_skip_count_what_where_lets_through():
    assert ages(limit=2) == [30, 20]
    assert ages(skip=1, limit=2) == [20, None]
    assert ages(where={"Name": "Bob"}, skip=1) == [10]
    assert ages(order="Age", skip=3) == [30]
    assert ages(limit=0) == []
    assert ages(skip=9) == []


def test_no_more_is_taken_than_the_limit_needs():
    assert select(limit=2)[2] == 2
    assert select(limit=0)[2] == 0


def test_the_first_results_come_soon_and_the_others_in_chunks():
    chunks = select([{"Age": n} for n in range(100)], chunk=30)[1]
    assert [len(chunk) for chunk in chunks] == [16, 30, 30, 24]


@pytest.mark.parametrize("count", [0, 1, 16, 17, 48, 49])
def test_without_constraints_results_come_in_the_same_chunks(count):
    chunks, few = [], []
    everything = Everything(chunks.append, chunk=32)
    selector = Selector(
        parse_constraints(None), COLUMNS, render=lambda one: one, sink=few.append, chunk=32, most=100
    )
    for one in (everything, selector):
        for number in range(count):
            one.take(number)
        one.finish()
    assert chunks == few
    assert (everything.count, everything.is_full) == (count, False)


def test_only_what_is_handed_on_is_rendered():
    rendered = []
    select(limit=1, order="-Age", render=lambda row: rendered.append(row["Age"]))
    assert rendered == [30]


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ({"where": {"Agee": 1}}, r"where: test\.People has no field 'Agee'\. Did you mean 'Age'\?"),
        ({"where": {"Zzz": 1}}, "It has Name, Age"),
        ({"order": "Agee"}, "order: .* has no field 'Agee'"),
        ({"where": {"Age": "1"}}, r"where: \$eq: Age: expected int32, got '1'"),
        ({"where": {"Age": True}}, "Age: expected int32, got True"),
        ({"where": {"Age": {"$in": [1, 2**40]}}}, r"where: \$in: Age: expected int32"),
        ({"where": {"Weight": "x"}}, "Weight: expected float64"),
        ({"where": {"Photo": "??"}}, r"Photo: expected bytes as base64 text, got '\?\?'"),
        ({"where": {"Alive": 1}}, "Alive: expected bool, got 1"),
        ({"where": {"Name": 1}}, "Name: expected text, got 1"),
        ({"where": {"Age": {"$gt": None}}}, "nothing is greater or less than null"),
        ({"where": {"Lines": 1}}, "Lines has values inside of it and cannot be compared"),
        ({"order": "Lines"}, "order: Lines has values inside of it"),
    ],
)
def test_a_constraint_that_does_not_fit_the_fields_is_explained(constraints, message):
    with pytest.raises(RequestError, match=message):
        select(**constraints)


def test_more_than_may_be_held_for_an_order_is_refused():
    with pytest.raises(RequestError, match=r"more than 3 results to order\. Narrow them with where"):
        select(order="Age", most=3)
    assert select(order="Age", most=4)


def test_equality_fixes_the_values_of_a_field():
    def values(where):
        return fixed(parse_constraints({"where": where}).where, COLUMNS, "Age")

    assert values({"Age": 5}) == [5]
    assert values({"Age": {"$in": [1, 2, 1]}}) == [1, 2]
    assert values({"Age": {"$in": [1, 2], "$eq": 2}}) == [2]
    assert values({"Age": {"$gt": 2}}) is None
    assert values({"Name": "x"}) is None
    with pytest.raises(RequestError, match="expected int32"):
        values({"Age": "x"})


def test_rows_that_come_in_the_wanted_order_need_no_sorting():
    order = parse_constraints({"order": "Year,Month"}).order
    assert orders_like(order, ["Year", "Month", "Day"])
    assert orders_like((), ["Year"])
    assert not orders_like(order, ["Month", "Year"])
    assert not orders_like(order, ["Year"])
    assert not orders_like(parse_constraints({"order": "-Year"}).order, ["Year"])


_OPERATORS = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


@given(
    rows=st.lists(
        st.fixed_dictionaries({"Age": st.none() | st.integers(-3, 3), "Name": st.sampled_from("ab")})
    ),
    wanted=st.dictionaries(st.sampled_from(sorted(_OPERATORS)), st.integers(-3, 3)),
    order=st.sampled_from(["", "Age", "-Age", "Name,-Age"]),
    skip=st.integers(0, 5),
    limit=st.none() | st.integers(0, 5),
)
def test_constraints_mean_what_they_say(rows, wanted, order, skip, limit):
    expected = [
        row
        for row in rows
        if all(
            _OPERATORS[one](row["Age"], value) if row["Age"] is not None or one in ("$eq", "$ne") else False
            for one, value in wanted.items()
        )
    ]
    for name in reversed(order.split(",") if order else []):
        field = name.removeprefix("-")
        expected.sort(
            key=lambda row: (row[field] is not None, row[field] or (0 if field == "Age" else "")),
            reverse=name.startswith("-"),
        )
    expected = expected[skip : None if limit is None else skip + limit]
    where = {"Age": wanted} if wanted else {}
    assert select(rows, where=where, order=order, skip=skip, limit=limit, chunk=2)[0] == expected
