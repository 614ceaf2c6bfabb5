"""What is sent at random, by the OpenAPI document and against it, never finds a defect."""

from __future__ import annotations

import contextlib

import pytest
from cafe import CODE
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

#: Nothing of the app itself fails here, and nothing takes long.
HARMLESS = CODE.replace('raise RuntimeError("password 1234")', "return").replace(
    "range(call.arg.Count)", "range(min(call.arg.Count, 50))"
)


@pytest.fixture(scope="module")
def harmless(make_cafe):
    return make_cafe(code=HARMLESS)


def fuzz(harmless, examples: int) -> int:
    # Only here: it takes a second to import.
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    document = harmless.system.get("/api/v2/apps/acme/cafe/schemas/openapi.json").json()
    base = f"{harmless.server.url}{document['servers'][0]['url']}"
    authorization = {"Authorization": harmless.system.headers["Authorization"]}
    made = harmless.system.post(harmless.at("docs/cafe.Dish"), json={"sys.ID": 1, "Code": "x", "Price": 1})
    real = {"wsid": harmless.workspace, "record": made.json()["newIDs"]["1"]}
    calls = 0

    def check(operation, mode, names):
        path = {name: real[name] for name in names if f"{{{name}}}" in operation.path}

        @settings(
            max_examples=examples,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode, path_parameters=path or None))
        def call(case):
            nonlocal calls
            calls += 1
            response = case.call(base_url=base, headers=authorization, timeout=60)
            case.validate_response(response, checks=checks)

        # With all of its parameters given, some have nothing left that could be wrong.
        with contextlib.suppress(Unsatisfiable):
            call()

    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        check(operation, GenerationMode.POSITIVE, ("wsid",))
        check(operation, GenerationMode.POSITIVE, ("wsid", "record"))
        check(operation, GenerationMode.NEGATIVE, ("wsid", "record"))
        check(operation, GenerationMode.NEGATIVE, ())
    return calls


def test_no_request_that_the_document_leads_to_is_a_server_error(harmless):
    assert fuzz(harmless, 1) > 100
    assert harmless.system.get("/ready").status_code == 200


@pytest.mark.soak
def test_no_request_that_the_document_leads_to_is_a_server_error_for_long(harmless):
    assert fuzz(harmless, 300) > 10_000
    assert harmless.system.get("/ready").status_code == 200
