from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.processing import RequestError
from statehold.processing.constraints import Condition, Constraints, Order, parse_constraints


def test_constraints_come_as_texts_of_parameters():
    assert parse_constraints(
        {
            "order": "Name, -sys.ID",
            "limit": "10",
            "skip": "20",
            "include": "Lines.Article,Client",
            "keys": 'Name,"sys.ID",Client.Name',
            "where": '{"Age": {"$gte": 18, "$lt": 65}, "Name": "Eve", "Kind": {"$in": [1, 2]}}',
        }
    ) == Constraints(
        order=(Order("Name"), Order("sys.ID", descending=True)),
        limit=10,
        skip=20,
        include=(("Lines", "Article"), ("Client",)),
        keys=(("Name",), ("sys.ID",), ("Client", "Name")),
        where=(
            Condition("Age", "$gte", 18),
            Condition("Age", "$lt", 65),
            Condition("Name", "$eq", "Eve"),
            Condition("Kind", "$in", [1, 2]),
        ),
    )


def test_constraints_come_as_values_too():
    given = {"limit": 1, "keys": ["A", "B"], "order": ["-A"], "where": {"A": None}}
    assert parse_constraints(given) == Constraints(
        limit=1,
        keys=(("A",), ("B",)),
        order=(Order("A", descending=True),),
        where=(Condition("A", "$eq", None),),
    )


def test_what_is_not_given_constrains_nothing():
    assert parse_constraints(None) == parse_constraints({}) == Constraints()
    assert parse_constraints({"order": "", "keys": "", "limit": None, "where": None}) == Constraints()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sort": "Name"}, r"'sort' is no constraint\. There are order, limit, skip, include, keys, where"),
        ({"limit": "-1"}, "limit: expected a whole number from 0"),
        ({"limit": "1.5"}, "limit: expected a whole number from 0"),
        ({"skip": "\u0663"}, "skip: expected a whole number"),
        ({"limit": True}, "limit: expected a whole number"),
        ({"skip": "9" * 50}, "skip: expected a whole number"),
        ({"keys": "A,,B"}, "keys: expected a name, got ''"),
        ({"keys": 'A,"sys.ID'}, "keys: a quote in .* is not closed"),
        ({"keys": "A.B C"}, "keys: expected a dot or a comma before ' C'"),
        ({"keys": 5}, "keys: expected names separated by commas, got 5"),
        ({"order": "A.B"}, "order: 'A.B' is inside of another field"),
        ({"where": "{"}, "where: expected a JSON object, got '{'"),
        ({"where": "[1]"}, r"where: expected a JSON object, got \[1\]"),
        ({"where": {"A": [1]}}, r'where: A: expected a value or operators, got a list\. Write {"\$in": '),
        ({"where": {"A": {}}}, "where: A: there is no operator"),
        ({"where": {"A": {"$like": "x"}}}, r"where: A: '\$like' is no operator\. There are \$eq, \$in"),
        ({"where": {"A": {"$in": 5}}}, r"where: A: \$in: expected a list, got 5"),
        ({"where": {"A": {"$in": [1] * 1001}}}, r"where: A: \$in has 1001 values, more than 1000"),
        ({"where": "[" * 100_000}, "where: expected a JSON object"),
    ],
)
def test_a_constraint_that_is_not_written_so_is_explained(given, message):
    with pytest.raises(RequestError, match=message) as caught:
        parse_constraints(given)
    assert caught.value.status == 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["order", "limit", "skip", "include", "keys", "where", "x"]), _JSON))
def test_whatever_is_sent_is_taken_or_refused_on_purpose(given):
    with suppress(RequestError):
        parse_constraints(given)
