"""The image answers over HTTP, at the addresses that Voedger's clients ask."""

from __future__ import annotations

import json

import httpx
import pytest

from statehold.processing import SYSTEM
from statehold.sdk import Principal
from statehold.serving import Server, Tokens


@pytest.fixture
def tokens():
    return Tokens(b"0123456789abcdef0123456789abcdef")


@pytest.fixture
def client(host, restaurant, tokens, tmp_path):
    with (
        Server(host, restaurant.runtime, tokens=tokens, data_folder=tmp_path) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def place(restaurant):
    return f"/api/v2/apps/acme/pos/workspaces/{restaurant.request.workspace}"


@pytest.fixture
def waiter(restaurant, tokens):
    token = tokens.issue(restaurant.request.principal, app="acme.pos", lifetime=600)
    return {"Authorization": f"Bearer {token}"}


SOUP = {"TableNumber": 207, "Waiter": "ada", "Dish": "soup", "Price": 500}


def test_a_command_and_a_query_answer_over_http(client, place, waiter, restaurant):
    answer = client.post(f"{place}/commands/pos.PlaceOrder", json={"args": SOUP}, headers=waiter)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["Owed"] == 500
    restaurant.settled()
    args = {"args": json.dumps({"Floor": 2})}
    found = client.get(f"{place}/queries/pos.Debts", params=args, headers=waiter)
    assert [(row["TableNumber"], row["Owed"]) for row in found.json()["results"]] == [(207, 500)]


def test_the_view_that_a_guest_fills_is_read_over_http(client, place, waiter, restaurant, tokens):
    client.post(f"{place}/commands/pos.PlaceOrder", json={"args": SOUP}, headers=waiter)
    restaurant.settled()
    system = {"Authorization": f"Bearer {tokens.issue(SYSTEM, app='*', lifetime=600)}"}
    where = {"where": json.dumps({"Floor": 2})}
    found = client.get(f"{place}/views/pos.TableDebts", params=where, headers=system)
    assert [row["LastDish"] for row in found.json()["results"]] == ["soup"]


def test_a_panic_of_a_guest_is_in_the_log_under_the_reference_in_the_answer(client, place, waiter, caplog):
    answer = client.post(f"{place}/commands/pos.RefuseOrder", json={"args": SOUP}, headers=waiter)
    assert answer.status_code == 500
    reference = answer.json()["data"]["reference"]
    assert "soup" not in answer.text
    (logged,) = [text for text in caplog.messages if reference in text]
    assert "panic: assertion failed: no more soup" in logged


def test_a_builtin_extension_that_this_host_does_not_have_is_501(client, place, tokens):
    system = {"Authorization": f"Bearer {tokens.issue(SYSTEM, app='*', lifetime=600)}"}
    answer = client.post(f"{place}/commands/sys.CUD", json={"args": {}}, headers=system)
    assert answer.status_code == 501
    assert "sys.CUD is not provided by this host" in answer.json()["message"]


def test_who_has_no_role_is_refused(client, place, tokens):
    token = tokens.issue(Principal(name="eve", kind=1), app="acme.pos", lifetime=600)
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.post(f"{place}/commands/pos.PlaceOrder", json={"args": SOUP}, headers=headers)
    assert answer.status_code == 403
