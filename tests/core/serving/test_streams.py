from __future__ import annotations

import json
import threading

import pytest

from statehold.processing import ResponseError

MENU = "/api/v2/apps/acme/shop/workspaces/1/queries/shop.Menu"
MANY = [{"Dish": "x" * 1000}] * 200


def test_few_results_are_one_body_with_its_length(client, runtime):
    runtime.on_query = lambda asked, sink: sink([{"n": 1}]) or sink([{"n": 2}]) or []
    answer = client.get(MENU)
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.content == b'{"results":[{"n":1},{"n":2}]}'


@pytest.mark.parametrize("chunks", [[], [[]], [[], []]])
def test_no_results_are_an_empty_list(client, runtime, chunks):
    runtime.on_query = lambda asked, sink: [sink(chunk) for chunk in chunks] and []
    assert client.get(MENU).json() == {"results": []}


def test_an_error_after_few_results_is_the_whole_answer(client, runtime):
    def fail(asked, sink):
        sink([{"n": 1}])
        raise ResponseError("the kitchen burns", status=503)

    runtime.on_query = fail
    answer = client.get(MENU)
    assert (answer.status_code, answer.json()["message"]) == (503, "the kitchen burns")


def test_many_results_are_sent_while_they_are_read(client, runtime, gate):
    def read(asked, sink):
        sink(MANY)
        assert gate.wait(20)
        sink([{"Dish": "last"}])
        return []

    runtime.on_query = read
    with client.stream("GET", MENU) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_bytes()
        text = next(pieces)
        gate.set()
        text += b"".join(pieces)
    assert json.loads(text) == {"results": [*MANY, {"Dish": "last"}]}


def test_an_error_after_the_start_is_a_member_of_the_answer(client, runtime):
    def fail(asked, sink):
        sink(MANY)
        sink(MANY)
        raise ResponseError("the kitchen burns", status=503)

    runtime.on_query = fail
    answer = client.get(MENU)
    assert answer.status_code == 200
    assert answer.json() == {
        "results": MANY * 2,
        "error": {"message": "the kitchen burns", "status": 503},
    }


def test_what_comes_slowly_is_sent_before_there_is_much_of_it(client, runtime, gate):
    def read(asked, sink):
        sink([{"n": 1}])
        threading.Event().wait(0.06)
        sink([{"n": 2}])
        assert gate.wait(20)
        return []

    runtime.on_query = read
    with client.stream("GET", MENU) as answer:
        pieces = answer.iter_bytes()
        assert next(pieces) == b'{"results":[{"n":1},{"n":2}'
        gate.set()
        assert b"".join(pieces) == b"]}"


def test_a_query_whose_client_has_gone_is_ended(client, runtime):
    ended = threading.Event()

    def read(asked, sink):
        try:
            for _ in range(10_000):
                sink(MANY)
        finally:
            ended.set()
        return []

    runtime.on_query = read
    with client.stream("GET", MENU) as answer:
        next(answer.iter_bytes())
    assert ended.wait(20)


def test_a_fast_query_waits_for_a_slow_client(client, runtime):
    taken = []

    def read(asked, sink):
        for n in range(100):
            sink(MANY)
            taken.append(n)
        return []

    runtime.on_query = read
    with client.stream("GET", MENU) as answer:
        pieces = answer.iter_bytes()
        text = next(pieces)
        # 20 MB are to come, and nobody reads them: what lies in buffers is far less.
        assert len(taken) < 90
        text += b"".join(pieces)
    assert len(json.loads(text)["results"]) == 20_000
    assert len(taken) == 100


def test_a_view_that_has_much_is_streamed_too(client, runtime):
    runtime.on_query = lambda asked, sink: sink(MANY) or []
    path = MENU.replace("queries/shop.Menu", "views/shop.Turnover")
    assert client.get(path).json() == {"results": MANY}
