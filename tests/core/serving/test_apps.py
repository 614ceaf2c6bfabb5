"""The API of an app that really runs."""

from __future__ import annotations

import json
from importlib.resources import files

import httpx
import pytest

from statehold.processing import SYSTEM
from statehold.sdk import Principal

SOUP = {"Code": "soup", "Day": 1}


def order(client, served, day, code="soup", workspace=None):
    body = {"args": {"Code": code, "Day": day}, "unloggedArgs": {"Number": "4000"}}
    return client.post(served.at("commands/cafe.Order", workspace), json=body)


def test_a_command_is_logged_changes_records_and_answers(served):
    workspace = served.make_workspace()
    first, second = (order(served.system, served, 1, workspace=workspace).json() for _ in range(2))
    assert second["currentWLogOffset"] == first["currentWLogOffset"] + 1
    assert second["newIDs"]["1"] > first["newIDs"]["1"]
    assert [first["result"], second["result"]] == [{"Count": 1}, {"Count": 2}]
    record = second["newIDs"]["1"]
    bill = served.system.get(served.at(f"docs/cafe.Bill/{record}", workspace)).json()
    assert (bill["sys.ID"], bill["Number"]) == (record, second["currentWLogOffset"])


def test_a_query_sees_what_a_command_before_it_has_done(served):
    assert order(served.system, served, 2).status_code == 200
    found = served.system.get(
        served.at("queries/cafe.Served"), params={"args": json.dumps({"Code": "soup", "Day": 2})}
    )
    assert found.json() == {"results": [{"Count": 1}]}


def test_a_view_is_read_by_its_partition_key_and_shaped_by_constraints(served):
    for code in ("soup", "tea", "tea", "cake"):
        assert order(served.system, served, 3, code).status_code == 200
    params = {"where": '{"Day": 3}', "order": "-Count,Code", "limit": "2", "keys": "Code,Count"}
    found = served.system.get(served.at("views/cafe.Sold"), params=params)
    assert found.json() == {"results": [{"Code": "tea", "Count": 2}, {"Code": "cake", "Count": 1}]}
    refused = served.system.get(served.at("views/cafe.Sold"))
    assert (refused.status_code, "Day" in refused.json()["message"]) == (400, True)


def test_asynchronous_projectors_run_beside_the_requests(served):
    assert order(served.system, served, 4).status_code == 200
    assert served.runtime.wait_for_projectors("acme.cafe", timeout=60)
    found = served.system.get(served.at("views/cafe.Later"), params={"where": '{"Day": 4}'})
    assert found.json() == {"results": [{"Day": 4, "Code": "soup", "Count": 1}]}


def test_a_document_is_made_read_listed_changed_and_taken_out_of_use(served):
    made = served.system.post(
        served.at("docs/cafe.Dish"),
        json={"sys.ID": 1, "Code": "bread", "Price": 25_000, "Parts": [{"sys.ID": 2, "Name": "flour"}]},
    )
    assert made.status_code == 201
    record = made.json()["newIDs"]["1"]
    path = served.at(f"docs/cafe.Dish/{record}")
    dish = served.system.get(path, params={"include": "Parts"}).json()
    assert (dish["Price"], dish["Parts"][0]["Name"], dish["sys.IsActive"]) == (25_000, "flour", True)
    assert served.system.patch(path, json={"Price": 30_000, "Likes": record}).status_code == 200
    dish = served.system.get(path, params={"include": "Likes", "keys": "Price,Likes.Code"}).json()
    assert (dish["Price"], dish["Likes"]["Code"]) == (30_000, "bread")
    listed = served.system.get(served.at("cdocs/cafe.Dish"), params={"where": '{"Code": "bread"}'})
    assert [one["sys.ID"] for one in listed.json()["results"]] == [record]
    assert served.system.delete(path).status_code == 200
    assert served.system.get(path).json()["sys.IsActive"] is False


def test_a_singleton_is_read_without_an_id(served):
    assert served.system.get(served.at("docs/cafe.Hours")).status_code == 404
    assert served.system.post(served.at("docs/cafe.Hours"), json={"Opens": 8}).status_code == 201
    assert served.system.get(served.at("docs/cafe.Hours")).json()["Opens"] == 8
    assert served.system.post(served.at("docs/cafe.Hours"), json={"Opens": 9}).status_code == 409


def test_an_odoc_is_the_argument_of_a_command_and_nothing_else(served):
    for answer in (
        served.system.post(served.at("docs/cafe.Paper"), json={"Text": "x"}),
        served.system.patch(served.at("docs/cafe.Paper/1"), json={"Text": "x"}),
        served.system.delete(served.at("docs/cafe.Paper/1")),
    ):
        assert answer.status_code == 405
    assert (
        served.system.post(served.at("commands/cafe.File"), json={"args": {"Text": "x"}}).status_code == 200
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/apps/acme/nothing/workspaces/1/queries/a.B", 404),
        ("GET", "/api/v2/apps/acme/cafe/workspaces/999999/queries/cafe.Count", 404),
        ("GET", "queries/cafe.Nothing", 404),
        ("POST", "commands/cafe.Nothing", 404),
        ("GET", "views/cafe.Nothing?where={}", 404),
        ("GET", "docs/cafe.Nothing/1", 404),
        ("GET", "docs/cafe.Dish/999999999", 404),
        ("GET", "queries/nothing", 404),
        ("GET", "queries/cafe.Count", 400),
        ("GET", 'queries/cafe.Count?args={"Count":"x"}', 400),
        ("GET", 'queries/cafe.Count?args={"Count":1,"Colour":2}', 400),
        ("GET", 'queries/cafe.Count?args={"Count":1}&limit=x', 400),
        ("GET", 'queries/cafe.Count?args={"Count":1}&order=Colour', 400),
        ("GET", 'queries/cafe.Count?args={"Count":1}&where={"N":{"$foo":1}}', 400),
        ("GET", 'views/cafe.Sold?where={"Day":"x"}', 400),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_said(served, method, path, status):
    answer = served.system.request(method, path if path.startswith("/") else served.at(path))
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert len(answer.json()["message"]) > 10


def test_an_extension_says_its_own_status(served):
    answer = order(served.system, served, 1, "nothing")
    assert (answer.status_code, answer.json()["message"]) == (409, "there is nothing to order")


def test_an_extension_that_fails_is_a_500_and_no_event(served):
    workspace = served.make_workspace()
    before = order(served.system, served, 1, workspace=workspace).json()["currentWLogOffset"]
    answer = served.system.post(served.at("commands/cafe.Fail", workspace))
    assert (answer.status_code, "cafe.Fail" in answer.json()["message"]) == (500, True)
    assert order(served.system, served, 1, workspace=workspace).json()["currentWLogOffset"] == before + 1


def test_a_builtin_extension_that_this_host_lacks_is_a_501(make_cafe):
    text = files("statehold_sys").joinpath("sys.vsql").read_text()
    place = "DESCRIPTOR AppWorkspace ();"
    foreign = "EXTENSION ENGINE BUILTIN (QUERY Collection() RETURNS any; COMMAND Sweep;);"
    cafe = make_cafe(sys=text.replace(place, place + foreign, 1))
    for answer in (
        cafe.system.get(cafe.at("queries/sys.Collection", 1)),
        cafe.system.post(cafe.at("commands/sys.Sweep", 1)),
    ):
        assert answer.status_code == 501
        assert "is not provided by this host" in answer.json()["message"]
    assert order(cafe.system, cafe, 1).status_code == 200


def test_what_an_extension_raised_is_in_the_log_and_not_in_the_answer(served, caplog):
    args = {"args": json.dumps({"Count": 2000, "BreaksAt": 3})}
    soon = served.system.get(served.at("queries/cafe.Count"), params=args)
    late = served.system.get(
        served.at("queries/cafe.Count"), params={"args": '{"Count":2000,"BreaksAt":1500}'}
    )
    command = served.system.post(served.at("commands/cafe.Fail"))
    errors = soon.json(), late.json()["error"], command.json()
    assert len({error["data"]["reference"] for error in errors}) == 3
    for error, record in zip(errors, caplog.records, strict=True):
        assert "1234" not in error["message"]
        assert record.getMessage().startswith(error["data"]["reference"])
        assert "extensions/all.py" in record.getMessage()
        assert "password 1234" in record.getMessage()
        assert record.exc_info is not None


def test_a_query_that_breaks_after_many_results_says_so_after_them(served):
    args = json.dumps({"Count": 2000, "BreaksAt": 1500})
    found = served.system.get(served.at("queries/cafe.Count"), params={"args": args}).json()
    assert found["error"]["status"] == 500
    assert [one["N"] for one in found["results"]] == list(range(len(found["results"])))
    assert 100 < len(found["results"]) <= 1500


def test_a_query_that_breaks_soon_is_an_error(served):
    args = json.dumps({"Count": 2000, "BreaksAt": 3})
    answer = served.system.get(served.at("queries/cafe.Count"), params={"args": args})
    assert answer.status_code == 500
    assert "results" not in answer.json()


def test_every_type_of_field_comes_back_as_it_was_sent(served):
    given = {
        "I8": -128,
        "I16": 32767,
        "I32": -(2**31),
        "I64": 2**63 - 1,
        "F32": 0.5,
        "F64": 1e300,
        "B": False,
        "T": "ü\u0000😀",
        "R": "AAEC/w==",
        "M": -10_000,
        "W": 1_700_000_000_000,
        "Q": "cafe.Dish",
        "L": 5,
        "Parts": [{"Name": "a"}],
    }
    found = served.system.get(served.at("queries/cafe.Echo"), params={"args": json.dumps(given)})
    assert found.json() == {"results": [given]}


@pytest.mark.parametrize(
    "given",
    [{"I8": 128}, {"I64": 2**63}, {"B": 1}, {"R": "!"}, {"T": "x" * 51}, {"F64": "1"}, {"Parts": [1]}],
)
def test_a_value_out_of_its_type_is_refused_with_its_field(served, given):
    answer = served.system.get(served.at("queries/cafe.Echo"), params={"args": json.dumps(given)})
    assert answer.status_code == 400
    assert next(iter(given)) in answer.json()["message"]


def test_roles_decide_who_may_do_what(served):
    waiter, cook, nobody = served.of("cafe.Waiter"), served.of("cafe.Cook"), served.client()
    assert order(waiter, served, 9).status_code == 200
    for client in (cook, nobody):
        refused = order(client, served, 9)
        assert refused.status_code == 403
        assert refused.json()["data"]["roles"] == ["cafe.Waiter"]
    dish = {"sys.ID": 1, "Code": "stew", "Price": 1, "Photo": 0}
    assert waiter.post(served.at("docs/cafe.Dish"), json=dish).status_code == 403
    dish.pop("Photo")
    made = cook.post(served.at("docs/cafe.Dish"), json=dish)
    assert made.status_code == 201
    path = served.at(f"docs/cafe.Dish/{made.json()['newIDs']['1']}")
    found = waiter.get(path, params={"keys": "Code,Price"}).json()
    assert (found["Code"], found["Price"]) == ("stew", 1)
    assert waiter.get(path, params={"keys": "Photo"}).status_code == 403


def test_a_role_in_one_workspace_is_none_in_another(served):
    other = served.make_workspace()
    assert order(served.of("cafe.Waiter"), served, 9, workspace=other).status_code == 403


def test_operators_make_workspaces_and_those_who_own_the_one_around(served):
    path = "/api/v2/apps/acme/cafe/workspaces"
    body = {"kind": "cafe.CafeWS", "name": "x", "owner": 1, "data": {"City": "x"}}
    admin = served.client(Principal(name="eve", kind=1, roles={0: frozenset({"sys.ClusterAdmin"})}))
    owner = served.client(Principal(name="bob", kind=1, roles={1: frozenset({"sys.WorkspaceOwner"})}))
    for client in (admin, owner):
        assert client.post(path, json=body).status_code == 201
    assert admin.post(path, json={**body, "owner": 0}).status_code == 201
    assert owner.post(path, json={**body, "owner": 0}).status_code == 403
    for client in (served.client(), served.of("cafe.Waiter")):
        assert client.post(path, json=body).status_code == 403
    for wrong in ({"kind": "cafe.NoWS"}, {"owner": 999_999}):
        assert admin.post(path, json={**body, **wrong}).status_code == 404
    assert admin.post(path, json={**body, "data": {"Town": "x"}}).status_code == 400


def test_a_limit_that_is_used_up_says_when_there_is_room(served):
    owner = Principal(name="ann", kind=1, roles={0: frozenset({"cafe.Waiter", "cafe.Cook"})})
    client, workspace = served.client(owner), served.make_workspace()
    path = served.at("commands/cafe.Print", workspace)
    answers = [client.post(path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2].headers["retry-after"]) <= 1800
    assert answers[2].json()["data"]["limit"] == "cafe.PrintLimit"


def test_a_storage_of_the_app_can_call_the_app_by_federation(served):
    token = served.federation.system_token("acme", "cafe")
    url = served.federation.base_url("acme", "cafe")
    answer = httpx.get(
        f"{url}{served.at('queries/cafe.Served')}",
        params={"args": json.dumps(SOUP)},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200
    assert served.tokens.check(token, "acme.cafe").roles == SYSTEM.roles
