from __future__ import annotations

import threading

import msgspec
import pytest

from statehold.processing import (
    ExtensionError,
    ForbiddenError,
    RequestError,
    TooSlowError,
    UnknownError,
)


def numbers(shop, count=10, **more):
    return shop.runtime.query(shop.request(), "shop.Numbers", {"Count": count}, **more)


def test_a_query_returns_what_its_extension_yields(shop):
    assert msgspec.to_builtins(numbers(shop, 2)) == [
        {"N": 0, "Text": "even", "Data": "AA=="},
        {"N": 1, "Text": "odd", "Data": "AQ=="},
    ]
    shop.sell("pen", 4)
    (row,) = shop.runtime.query(shop.request(), "shop.Look")
    assert row.Total == 4


def test_results_are_handed_on_in_chunks_while_the_query_runs(shop, probe):
    chunks, made = [], []
    probe.hooks["number"] = made.append

    def sink(chunk):
        chunks.append((len(chunk), len(made)))

    assert numbers(shop, 1000, sink=sink) == []
    assert sum(size for size, _ in chunks) == 1000
    assert chunks[0][1] < 30
    assert max(size for size, _ in chunks) <= 256


def test_constraints_apply_to_results(shop):
    found = numbers(
        shop, 100, constraints={"where": {"Text": "odd", "N": {"$gt": 90}}, "order": "-N", "limit": 3}
    )
    assert [row.N for row in found] == [99, 97, 95]
    assert numbers(shop, 5, constraints={"keys": "N", "skip": 3}) == [{"N": 3}, {"N": 4}]


def test_a_query_ends_as_soon_as_it_has_enough(shop, probe):
    assert len(numbers(shop, 1_000_000, constraints={"limit": 5})) == 5
    # What comes is sent when the next one is made.
    assert probe.calls.count("number") <= 6
    assert numbers(shop, 10, constraints={"limit": 0}) == []


def test_results_of_any_type_are_whatever_they_are(shop):
    def ask(**constraints):
        return shop.runtime.query(shop.request(), "shop.Whatever", constraints=constraints)

    assert ask() == [{"N": n, "deep": [n]} for n in range(3)]
    assert ask(where={"N": {"$gte": 1}}, keys="N", order="-N") == [{"N": 2}, {"N": 1}]
    with pytest.raises(RequestError, match="include"):
        ask(include="deep")


def test_a_reference_in_a_result_can_be_included(open_shop):
    shop = open_shop(
        extensions="QUERY Best RETURNS Number;",
        code='\n\n@extension\ndef best(call):\n    yield {"N": 1, "Article": 200001}\n',
    )
    shop.runtime.create(shop.request(), "shop.Article", {"sys.ID": 1, "Code": "pen", "Price": 5})
    (row,) = shop.runtime.query(
        shop.request(), "shop.Best", constraints={"include": "Article", "keys": "N,Article.Code"}
    )
    assert row == {"N": 1, "Article": {"Code": "pen"}}


@pytest.mark.parametrize(
    ("name", "args", "constraints", "error", "message"),
    [
        ("shop.Nope", {}, {}, UnknownError, r"has no query 'shop\.Nope'"),
        ("shop.Sell", {}, {}, UnknownError, "it is a COMMAND"),
        ("shop.Numbers", {}, {}, RequestError, "Count"),
        ("shop.Numbers", {"Count": 1}, {"where": {"M": 1}}, RequestError, "has no field 'M'"),
        ("shop.Numbers", {"Count": 1}, {"order": "M"}, RequestError, "has no field 'M'"),
        ("shop.Numbers", {"Count": 1}, {"include": "N"}, RequestError, "no reference and no container 'N'"),
        ("shop.Numbers", {"Count": 1}, {"like": 1}, RequestError, "'like' is no constraint"),
    ],
)
def test_a_query_that_cannot_be_run_is_refused(shop, name, args, constraints, error, message):
    with pytest.raises(error, match=message):
        shop.runtime.query(shop.request(), name, args, constraints=constraints)


def test_grants_say_who_may_ask(shop):
    with pytest.raises(ForbiddenError):
        shop.runtime.query(shop.request(principal=None), "shop.Numbers", {"Count": 1})


def test_a_query_that_takes_too_long_is_ended(shop):
    with pytest.raises(TooSlowError, match=r"shop\.Numbers took longer than 0 s") as caught:
        shop.runtime.query(shop.request(timeout=0), "shop.Numbers", {"Count": 10})
    assert caught.value.status == 504


def test_more_results_than_fit_are_refused_unless_they_are_taken_while_they_come(open_shop):
    shop = open_shop(runtime={"settings": {"max_results": 100}})
    with pytest.raises(RequestError, match="more than 100 results"):
        numbers(shop, 200)
    with pytest.raises(RequestError, match="more than 100 results to order"):
        numbers(shop, 200, constraints={"order": "N"}, sink=lambda _: None)
    counted = []
    numbers(shop, 200, sink=lambda chunk: counted.append(len(chunk)))
    assert sum(counted) == 200


def test_what_a_sink_raises_ends_the_query(shop):
    class Gone(Exception):
        pass

    def sink(_):
        raise Gone

    with pytest.raises(ExtensionError) as caught:
        numbers(shop, 1000, sink=sink)
    assert isinstance(caught.value.__cause__, Gone)


def test_many_queries_run_at_once(shop, probe):
    together = threading.Barrier(4)
    probe.hooks["numbers"] = lambda _: together.wait(60)
    results = []
    threads = [threading.Thread(target=lambda: results.append(len(numbers(shop, 3)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [3] * 4
