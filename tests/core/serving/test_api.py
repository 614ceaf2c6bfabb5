from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from statehold.processing import (
    BusyError,
    CommandAnswer,
    ExtensionError,
    ForbiddenError,
    LimitExceededError,
    ResponseError,
    UnknownError,
)
from statehold.sdk import StorageError

SHOP = "/api/v2/apps/acme/shop/workspaces/1"


def test_a_command_gets_its_arguments_and_answers_offset_ids_and_result(client, runtime):
    answer = client.post(
        f"{SHOP}/commands/shop.Buy", json={"args": {"Dish": "soup"}, "unloggedArgs": {"Pin": 1}}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "currentWLogOffset": 7,
        "newIDs": {"1": 200_001},
        "result": {"args": {"Dish": "soup"}},
    }
    asked = runtime.asked[0]
    assert (asked.what, asked.request.app, asked.request.workspace) == ("command", "acme.shop", 1)
    assert (asked.name, asked.given["unlogged"]) == ("shop.Buy", {"Pin": 1})


def test_a_command_needs_no_body(client, runtime):
    assert client.post(f"{SHOP}/commands/shop.Buy").status_code == 200
    assert runtime.asked[0].given == {"args": None, "unlogged": None}


def test_a_query_gets_its_argument_and_constraints(client, runtime):
    args = quote(json.dumps({"Dish": "soup & bread"}))
    answer = client.get(f"{SHOP}/queries/shop.Menu?args={args}&limit=5&order=-Dish")
    assert answer.json() == {"results": [{"args": {"Dish": "soup & bread"}}]}
    assert runtime.asked[0].given["constraints"] == {"limit": "5", "order": "-Dish"}


def test_an_argument_alone_is_read_the_same(client):
    answer = client.get(f"{SHOP}/queries/shop.Menu", params={"args": json.dumps({"Dish": "a+b ü"})})
    assert answer.json() == {"results": [{"args": {"Dish": "a+b ü"}}]}


def test_who_asks_is_whom_the_token_names(client, runtime, waiter):
    client.get(f"{SHOP}/queries/shop.Menu", headers={**waiter, "Origin": "https://shop.example"})
    request = runtime.asked[0].request
    assert (request.principal.name, request.principal.kind, request.principal.profile) == ("ann", 1, 70_000)
    assert request.principal.roles == {1: frozenset({"shop.Waiter"})}
    assert (request.origin, request.ip) == ("https://shop.example", "127.0.0.1")


def test_without_a_token_nobody_asks(client, runtime):
    client.get(f"{SHOP}/queries/shop.Menu")
    assert runtime.asked[0].request.principal is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (
            ForbiddenError("EXECUTE on shop.Buy is not permitted", qname="shop.Buy", roles=["shop.Waiter"]),
            403,
        ),
        (UnknownError("no command shop.Buy", qname="shop.Buy"), 404),
        (ResponseError("the kitchen is closed", status=418), 418),
    ],
)
def test_a_refusal_is_an_answer_with_its_status_and_message(client, runtime, error, status):
    def refuse(*_):
        raise error

    runtime.on_command = runtime.on_query = refuse
    for answer in (client.post(f"{SHOP}/commands/shop.Buy"), client.get(f"{SHOP}/queries/shop.Buy")):
        assert answer.status_code == status
        assert error.message in answer.json()["message"]


@pytest.mark.parametrize(
    "error",
    [
        BusyError("the partition did not come to it"),
        LimitExceededError("too many", limit="shop.L", retry_after=1.5),
    ],
)
def test_who_may_try_again_hears_when(client, runtime, error):
    def refuse(*_):
        raise error

    runtime.on_query = refuse
    answer = client.get(f"{SHOP}/queries/shop.Menu")
    assert answer.status_code == error.status
    assert int(answer.headers["retry-after"]) in (1, 2)


def test_what_nobody_intended_is_a_500_that_tells_nothing(client, runtime, caplog):
    def fail(*_):
        raise RuntimeError("password 1234")

    runtime.on_query = fail
    answer = client.get(f"{SHOP}/queries/shop.Menu")
    assert answer.status_code == 500
    assert "1234" not in answer.text
    assert "password 1234" in caplog.text
    assert answer.json()["data"]["reference"] in caplog.text


def test_a_500_that_an_extension_asks_for_says_what_it_says(client, runtime, caplog):
    def respond(*_):
        raise ResponseError("the oven is cold", status=500)

    runtime.on_query = respond
    answer = client.get(f"{SHOP}/queries/shop.Menu")
    assert answer.json() == {"message": "the oven is cold", "status": 500}
    assert not caplog.text


def test_what_a_storage_raised_is_logged_without_what_lies_below_it(client, runtime, caplog):
    def fail(*_):
        try:
            raise OSError("password 1234")
        except OSError as below:
            error = StorageError("acme.Shelf: the shelf is broken")
            error.add_note("QUERY shop.Menu at shop.py:7")
            found = ExtensionError(str(error), qname="shop.Menu")
            error.__cause__ = below
            raise found from error

    runtime.on_query = fail
    answer = client.get(f"{SHOP}/queries/shop.Menu").json()
    reference = answer["data"]["reference"]
    assert answer == {
        "message": f"shop.Menu failed; the host's log says how, under {reference}",
        "status": 500,
        "qname": "shop.Menu",
        "data": {"reference": reference},
    }
    [record] = caplog.records
    said = f"{reference}: acme.Shelf: the shelf is broken\nQUERY shop.Menu at shop.py:7"
    assert (record.getMessage(), record.exc_info) == (said, None)


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b"{", "application/json", 400, "not JSON"),
        (b'{"args": 1}', "application/json", 400, "$.args"),
        (b'{"arguments": {}}', "application/json", 400, "arguments"),
        (b"[]", "application/json", 400, "does not fit"),
        (b'{"args": {"a": "\xff"}}', "application/json", 400, "not JSON"),
        (b"[" * 100_000, "application/json", 400, "not"),
        (b"args=1", "application/x-www-form-urlencoded", 415, "application/json"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(client, runtime, body, kind, status, said):
    answer = client.post(f"{SHOP}/commands/shop.Buy", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert said in answer.json()["message"]
    assert not runtime.asked


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("args={", "not JSON"),
        ("args=1", "object"),
        ("args=%ff", "not JSON"),
        ("limit=1&limit=2", "twice"),
        ("colour=red", "colour"),
        ("limit=%ff", "UTF-8"),
    ],
)
def test_parameters_that_cannot_be_read_are_refused(client, runtime, query, said):
    answer = client.get(f"{SHOP}/queries/shop.Menu?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert not runtime.asked


@pytest.mark.parametrize("workspace", ["x", "-1", "9" * 30, "1.5", "²", str(2**63)])
def test_a_workspace_that_is_no_number_is_not_found(client, workspace):
    for path in ("queries/shop.Menu", "docs/shop.Bill/1"):
        answer = client.get(f"/api/v2/apps/acme/shop/workspaces/{quote(workspace)}/{path}")
        assert answer.status_code == 404
        assert "workspace" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "queries/shop.Menu", "GET"),
        ("GET", "commands/shop.Buy", "POST"),
        ("PUT", "docs/shop.Bill/1", "DELETE, GET, HEAD, PATCH"),
        ("DELETE", "docs/shop.Bill", "GET, HEAD, POST"),
    ],
)
def test_another_method_is_refused_with_those_that_there_are(client, method, path, allowed):
    answer = client.request(method, f"{SHOP}/{path}")
    assert answer.status_code == 405
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allowed
    assert allowed.partition(",")[0] in answer.json()["message"]


@pytest.mark.parametrize(
    "path", ["/", "/nothing", f"{SHOP}/nothing/x", f"{SHOP}/docs/shop.Bill/1/", "//health"]
)
def test_a_path_that_leads_nowhere_is_not_found(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "message" in answer.json()


def test_documents_are_made_read_changed_and_taken_out_of_use(client, runtime):
    made = client.post(f"{SHOP}/docs/shop.Bill", json={"Total": 1})
    assert made.status_code == 201
    assert made.json()["newIDs"] == {"1": 200_001}
    assert client.get(f"{SHOP}/docs/shop.Bill/5?keys=Total").json() == {"sys.ID": 5}
    assert client.get(f"{SHOP}/docs/shop.Settings").json() == {"sys.ID": 65_536}
    assert client.patch(f"{SHOP}/docs/shop.Bill/5", json={"Total": 2}).status_code == 200
    assert client.delete(f"{SHOP}/docs/shop.Bill/5").status_code == 200
    assert client.get(f"{SHOP}/cdocs/shop.Dish?limit=3").json() == {"results": [{"args": None}]}
    where = quote(json.dumps({"Day": 1}))
    assert client.get(f"{SHOP}/views/shop.Turnover?where={where}").json() == {"results": [{"args": None}]}
    assert [(asked.what, asked.name) for asked in runtime.asked] == [
        ("create", "shop.Bill"),
        ("document", "shop.Bill"),
        ("singleton", "shop.Settings"),
        ("patch", "shop.Bill"),
        ("deactivate", "shop.Bill"),
        ("documents", "shop.Dish"),
        ("view", "shop.Turnover"),
    ]
    assert runtime.asked[1].given == {"record": 5, "constraints": {"keys": "Total"}}
    assert runtime.asked[3].given == {"record": 5, "args": {"Total": 2}}
    assert runtime.asked[6].given["constraints"] == {"where": '{"Day": 1}'}


def test_a_workspace_is_made_of_its_kind_name_owner_and_fields(client, runtime, system):
    path = "/api/v2/apps/acme/shop/workspaces"
    body = {"kind": "shop.RestaurantWS", "name": "Chez Ann", "owner": 2, "data": {"Name": "x"}}
    answer = client.post(path, json=body, headers=system)
    assert (answer.status_code, answer.json()) == (201, {"workspace": 65_537, "currentWLogOffset": 1})
    asked = runtime.asked[0]
    assert (asked.request.workspace, asked.name) == (2, "shop.RestaurantWS")
    assert asked.given == {"name": "Chez Ann", "data": {"Name": "x"}}
    answer = client.post(path, json={"kind": "shop.RestaurantWS"}, headers=system)
    assert (answer.status_code, "name" in answer.json()["message"]) == (400, True)


def test_many_commands_at_once_all_get_their_own_answers(start, runtime):
    import asyncio

    import httpx

    runtime.on_command = lambda asked: CommandAnswer(offset=asked.given["args"]["n"], new_ids={})
    url = str(start().base_url)

    async def ask() -> list[int]:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            answers = await asyncio.gather(
                *(client.post(f"{SHOP}/commands/shop.Buy", json={"args": {"n": n}}) for n in range(200))
            )
        return [answer.json()["currentWLogOffset"] for answer in answers]

    assert asyncio.run(ask()) == list(range(200))
