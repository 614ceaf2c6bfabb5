from __future__ import annotations

import jsonschema_rs
import pytest
import schemathesis

from statehold.serving._openapi import openapi
from statehold_vsql.appdef import AccessOperation

SCHEMAS = "/api/v2/apps/acme/cafe/schemas"
ORDER = "/workspaces/{wsid}/commands/cafe.Order"


@pytest.fixture(scope="module")
def document(served):
    return served.system.get(f"{SCHEMAS}/openapi.json").json()


def validator(document, name):
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


def test_the_document_of_an_app_is_valid_openapi(document):
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_it_has_every_command_query_view_and_table_that_can_be_called(document):
    own = {path.removeprefix("/workspaces/{wsid}/") for path in document["paths"] if "/sys." not in path}
    assert own == {
        "commands/cafe.Order",
        "commands/cafe.File",
        "commands/cafe.Fail",
        "commands/cafe.Print",
        "queries/cafe.Count",
        "queries/cafe.Echo",
        "queries/cafe.Served",
        "views/cafe.Sold",
        "views/cafe.Later",
        "cdocs/cafe.Cafe",
        "cdocs/cafe.Dish",
        "cdocs/cafe.Hours",
        "docs/cafe.Bill",
        "docs/cafe.Bill/{record}",
        "docs/cafe.Cafe",
        "docs/cafe.Cafe/{record}",
        "docs/cafe.Dish",
        "docs/cafe.Dish/{record}",
        "docs/cafe.Dish/{record}/blobs/Photo",
        "docs/cafe.Hours",
        "docs/cafe.Hours/{record}",
        "docs/cafe.Part/{record}",
    }


def test_it_has_no_name_twice(document):
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


def test_comments_of_the_declarations_describe_what_is_called(document):
    assert document["paths"][ORDER]["post"]["description"] == "Order a dish"
    assert document["components"]["schemas"]["cafe.Dish"]["description"] == "What can be ordered"


def test_what_an_app_answers_is_as_its_document_says(served, document):
    made = served.system.post(
        served.at("docs/cafe.Dish"),
        json={"sys.ID": 1, "Code": "soup", "Price": 5, "Parts": [{"Name": "water", "Grams": 3}]},
    )
    path = served.at(f"docs/cafe.Dish/{made.json()['newIDs']['1']}")
    dish = served.system.get(path, params={"include": "Parts"}).json()
    validator(document, "cafe.Dish").validate(dish)
    validator(document, "Error").validate(served.system.get(served.at("docs/cafe.Dish/1")).json())


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({"Code": "soup", "Price": 5}, True),
        ({"Code": "soup", "Price": 5, "Likes": None, "sys.ID": 1}, True),
        ({"Code": "soup", "Price": 5, "Parts": [{"Name": "water"}]}, True),
        ({"Code": "SOUP", "Price": 5}, False),
        ({"Code": "soup" * 10, "Price": 5}, False),
        ({"Code": "soup"}, False),
        ({"Code": "soup", "Price": "5"}, False),
        ({"Code": "soup", "Price": 5, "Colour": 1}, False),
        ({"Code": "soup", "Price": 5, "sys.ID": 70_000}, False),
        ({"Code": "soup", "Price": 5, "Parts": [{}]}, False),
        ({"Code": None, "Price": 5}, False),
    ],
)
def test_what_the_document_takes_is_what_the_app_takes(served, document, given, fits):
    assert validator(document, "cafe.Dish.New").is_valid(given) == fits
    workspace = served.make_workspace()
    answer = served.system.post(served.at("docs/cafe.Dish", workspace), json=given)
    assert answer.status_code == (201 if fits else 400)


def test_every_type_has_its_range(document):
    fields = document["components"]["schemas"]["cafe.Everything"]["properties"]
    assert (fields["I8"]["minimum"], fields["I8"]["maximum"]) == (-128, 127)
    assert (fields["I64"]["minimum"], fields["I64"]["maximum"]) == (-(2**63), 2**63 - 1)
    assert fields["R"]["contentEncoding"] == "base64"
    assert fields["T"]["maxLength"] == 50
    assert fields["Parts"]["items"] == {"$ref": "#/components/schemas/cafe.TypeInside"}


def test_a_role_sees_what_it_may_call(served):
    document = served.client().get(f"{SCHEMAS}/cafe.CafeWS/roles/cafe.Waiter").json()
    schemathesis.openapi.from_dict(document).validate()
    called = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert {(path.removeprefix("/workspaces/{wsid}/"), method) for path, method in called} == {
        ("commands/cafe.Order", "post"),
        ("commands/cafe.Print", "post"),
        ("queries/cafe.Count", "get"),
        ("views/cafe.Sold", "get"),
        ("cdocs/cafe.Dish", "get"),
        ("docs/cafe.Dish/{record}", "get"),
        ("docs/cafe.Dish/{record}/blobs/Photo", "get"),
    }
    assert "cafe.OrderParams.New" in document["components"]["schemas"]
    assert "cafe.Bill" not in document["components"]["schemas"]


def test_who_has_no_token_sees_published_roles_alone(served):
    nobody, somebody = served.client(), served.of("cafe.Cook")
    assert nobody.get(f"{SCHEMAS}/openapi.json").status_code == 403
    assert nobody.get(f"{SCHEMAS}/cafe.CafeWS/roles/cafe.Cook").status_code == 404
    assert [one["name"] for one in nobody.get(f"{SCHEMAS}/cafe.CafeWS/roles").json()["roles"]] == [
        "cafe.Waiter"
    ]
    assert somebody.get(f"{SCHEMAS}/openapi.json").status_code == 200
    listed = somebody.get(f"{SCHEMAS}/cafe.CafeWS/roles").json()["roles"]
    assert {"cafe.Waiter", "cafe.Cook", "sys.Everyone"} <= {one["name"] for one in listed}


def test_the_kinds_of_workspace_lead_to_their_roles(served):
    found = served.client().get(SCHEMAS).json()
    assert (found["app"], found["version"]) == ("acme.cafe", "1")
    kinds = {one["name"]: one for one in found["workspaces"]}
    assert kinds["cafe.CafeWS"]["description"] == "A cafe"
    assert "sys.ProfileWS" not in kinds
    assert served.client().get(kinds["cafe.CafeWS"]["roles"]).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/apps/acme/nothing/schemas",
        f"{SCHEMAS}/cafe.Nothing/roles",
        f"{SCHEMAS}/cafe.CafeWS/roles/cafe.Nothing",
    ],
)
def test_schemas_of_what_is_not_there_are_not_found(served, path):
    assert served.system.get(path).status_code == 404


def test_what_changes_without_being_read_shows_no_structure(served):
    appdef = served.host.app("acme.cafe").current.appdef
    document = openapi(
        appdef, app="acme.cafe", version="1", permitted=lambda what, _: what is AccessOperation.DEACTIVATE
    )
    assert {method for path in document["paths"].values() for method in path} == {"delete"}
    assert set(document["components"]["schemas"]) == {"Condition", "Error"}
