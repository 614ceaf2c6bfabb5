"""Operators list apps, take versions away, and let plugins out of quarantine, over HTTP."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from cafe import APP, CODE, cafe
from prometheus_client.parser import text_string_to_metric_families

from statehold.hosting import FreedPlugin
from statehold.processing import SYSTEM
from statehold.sdk import Principal

APPS = "/api/v2/apps"
CAFE = f"{APPS}/acme/cafe"
HELLO = f"{APPS}/acme/hello"
QUARANTINE = "/api/v2/quarantine"
ECHO = {"args": json.dumps({"T": "x"})}
SAMPLES = Path(__file__).parents[3] / "app_images"


@pytest.fixture(scope="module")
def served(make_cafe):
    served = make_cafe()
    served.system.timeout = 60
    return served


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return cafe(tmp_path_factory.mktemp("first"), "1").read_bytes()


@pytest.fixture
def deployed(served, first):
    """The server, with version 1 alone, whatever a test has taken away."""
    yield served
    if served.system.post(f"{CAFE}/versions/1/activate").status_code == 404:
        assert served.system.post(f"{CAFE}/versions", content=first).status_code == 201
    for one in served.system.get(f"{CAFE}/versions").json()["versions"]:
        if one["version"] != "1":
            served.system.delete(f"{CAFE}/versions/{one['version']}")


def deploy(served, tmp_path, version, query=""):
    content = cafe(tmp_path, version, code=CODE.replace("return call.arg", 'return {"T": "other"}'))
    answer = served.system.post(f"{CAFE}/versions{query}", content=content.read_bytes())
    assert answer.status_code == 201, answer.text


def figures(served):
    """Return what the metrics say of versions, by name, and by version and state."""
    return {
        (
            sample.name,
            tuple(sample.labels[one] for one in ("version", "state") if one in sample.labels),
        ): value
        for family in text_string_to_metric_families(served.system.get("/metrics").text)
        for sample in family.samples
        if sample.name.startswith("statehold_version_")
        for value in [sample.value]
    }


def listed(served, app=APP):
    document = served.system.get(APPS).json()
    return next(one for one in document["apps"] if one["app"] == app)


def test_every_app_is_listed_with_its_versions_and_where_their_storages_run(deployed, tmp_path):
    deploy(deployed, tmp_path, "2", "?beside=true")
    assert deployed.system.get(APPS).json()["lacking"] == []
    app = listed(deployed)
    assert (app["current"], app["quarantine"], app["survivors"]) == ("1", [], [])
    first, second = app["versions"]
    assert (first["version"], first["state"], first["open"], first["answers"]) == ("1", "current", True, 2)
    assert (second["version"], second["state"], second["open"], second["answers"]) == ("2", "beside", True, 0)
    assert first["isolation"]["sys.Record"] == "inprocess"
    assert deployed.system.get(f"{CAFE}/versions").json() == app


def test_a_version_that_is_tried_is_listed_with_its_partitions(deployed, tmp_path):
    content = cafe(tmp_path, "3").read_bytes()
    long = f"{CAFE}/versions?canary=0.5&canary-seconds=3600&progress=true"
    with deployed.system.stream("POST", long, content=content) as answer:
        steps = map(json.loads, answer.iter_lines())
        next(step for step in steps if step["step"] == "canary")
        found = {one["version"]: one for one in listed(deployed)["versions"]}
        assert (found["3"]["state"], found["3"]["answers"], found["3"]["open"]) == ("canary", 1, True)
        assert (found["1"]["state"], found["1"]["answers"]) == ("current", 1)
        assert deployed.system.get(deployed.at("queries/cafe.Echo"), params=ECHO).status_code == 200
        told = figures(deployed)
        assert told["statehold_version_share", ("3", "canary")] == 0.5
        assert told["statehold_version_share", ("1", "current")] == 0.5
        calls = {version: told["statehold_version_calls_total", (version,)] for version in "13"}
        assert calls["3"] >= (deployed.workspace + 1) % 2
        assert calls["1"] >= deployed.workspace % 2
        assert told["statehold_version_failures_total", ("3",)] == 0
        assert deployed.system.post(f"{CAFE}/versions/rollback").status_code == 200
        *_, end = steps
    assert end["ok"] is False


def test_one_version_is_taken_away_and_the_others_go_on(deployed, tmp_path):
    deploy(deployed, tmp_path, "2", "?beside=true")
    answer = deployed.system.delete(f"{CAFE}/versions/2")
    assert (answer.status_code, answer.json()) == (200, {"app": APP, "version": "2"})
    assert [one["version"] for one in listed(deployed)["versions"]] == ["1"]
    echo = deployed.system.get(deployed.at("queries/cafe.Echo"), params=ECHO)
    assert echo.json() == {"results": [{"T": "x"}]}
    missing = deployed.system.delete(f"{CAFE}/versions/2")
    assert (missing.status_code, "no version '2'" in missing.json()["message"]) == (404, True)


def test_the_current_version_of_several_is_not_taken_away_alone(deployed, first, tmp_path):
    deploy(deployed, tmp_path, "2")
    answer = deployed.system.delete(f"{CAFE}/versions/2")
    assert answer.status_code == 409
    assert "Activate another one first (1)" in answer.json()["message"]
    assert deployed.system.delete(f"{CAFE}/versions/1").status_code == 200
    assert [one["version"] for one in listed(deployed)["versions"]] == ["2"]
    assert deployed.system.post(f"{CAFE}/versions", content=first).status_code == 201


def test_an_app_is_taken_away_with_the_version_that_is_tried(deployed, tmp_path):
    content = cafe(tmp_path, "4").read_bytes()
    long = f"{CAFE}/versions?canary=0.5&canary-seconds=3600&progress=true"
    with deployed.system.stream("POST", long, content=content) as answer:
        steps = map(json.loads, answer.iter_lines())
        next(step for step in steps if step["step"] == "canary")
        assert deployed.system.delete(CAFE).json() == {"app": APP, "version": None}
        *_, end = steps
    assert "was ended" in end["error"]["message"]
    assert deployed.system.get(APPS).json()["apps"] == []


def test_a_call_in_flight_ends_on_the_app_that_was_taken_away_and_those_after_it_are_told(deployed):
    many = {"args": json.dumps({"Count": 20_000})}
    with deployed.system.stream("GET", deployed.at("queries/cafe.Count"), params=many) as answer:
        pieces = answer.iter_bytes()
        got = [next(pieces)]
        assert deployed.system.delete(CAFE).json() == {"app": APP, "version": None}
        got += pieces
    assert len(json.loads(b"".join(got))["results"]) == 20_000
    after = deployed.system.get(deployed.at("queries/cafe.Echo"), params=ECHO)
    assert (after.status_code, "acme.cafe" in after.json()["message"]) == (404, True)
    assert deployed.system.post(deployed.at("commands/cafe.Print")).status_code == 404
    assert deployed.system.get(APPS).json()["apps"] == []
    assert deployed.system.delete(CAFE).status_code == 404


def test_no_call_is_dropped_while_an_app_beside_it_is_taken_away_and_comes_back(deployed, first, tmp_path):
    folder = shutil.copytree(SAMPLES / "acme.hello", tmp_path / "acme.hello")
    deployed.host.deploy(folder)
    stop, found, own = threading.Event(), [], set()
    client, other = deployed.client(SYSTEM, app="*"), deployed.client(SYSTEM, app="*")
    client.timeout = other.timeout = 60

    def ask():
        while not stop.is_set():
            found.append(client.get(f"{HELLO}/workspaces/1/queries/hello.Greet", params={"args": "{}"}))
            own.add(other.get(deployed.at("queries/cafe.Echo"), params=ECHO).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(3):
            *_, end = map(
                json.loads,
                deployed.system.delete(f"{CAFE}?progress=true").text.splitlines(),
            )
            assert end == {"ok": True, "app": APP, "version": None}
            assert deployed.system.post(f"{CAFE}/versions", content=first).status_code == 201
    finally:
        stop.set()
        thread.join()
        deployed.host.undeploy("acme.hello")
    assert {answer.status_code for answer in found} == {200}
    assert own <= {200, 404, 503}


def test_a_plugin_is_let_out_of_quarantine(deployed):
    leak = FreedPlugin(distribution="cafe-devices", version="1", sha256="0" * 64, survivors=("module x",))
    for _ in range(3):
        deployed.host.quarantine.freed(APP, [leak])
    for query in ("", "?app=acme.cafe"):
        (found,) = deployed.system.get(f"{QUARANTINE}{query}").json()["quarantine"]
        assert (found["app"], found["distribution"], found["frees"]) == (APP, "cafe-devices", 3)
    assert deployed.system.get(f"{QUARANTINE}?app=acme.bank").json() == {"quarantine": []}
    app = listed(deployed)
    assert app["quarantine"] == ["cafe-devices"]
    assert [one["why"] for one in app["survivors"]] == ["module x"]
    wrong = deployed.system.delete(f"{QUARANTINE}/cafe-device")
    assert (wrong.status_code, "Did you mean 'cafe-devices'?" in wrong.json()["message"]) == (404, True)
    assert deployed.system.delete(f"{QUARANTINE}/cafe-devices?app=acme.bank").status_code == 404
    lifted = deployed.system.delete(f"{QUARANTINE}/cafe-devices?app=acme.cafe").json()["lifted"]
    assert [one["distribution"] for one in lifted] == ["cafe-devices"]
    assert deployed.system.get(QUARANTINE).json() == {"quarantine": []}


def test_only_operators_operate_and_of_one_app_only_that(deployed):
    asked = (
        ("GET", APPS),
        ("DELETE", CAFE),
        ("DELETE", f"{CAFE}/versions/1"),
        ("GET", QUARANTINE),
        ("DELETE", f"{QUARANTINE}/x"),
    )
    for client in (deployed.client(), deployed.of("cafe.Cook")):
        for method, path in asked:
            assert client.request(method, path).status_code in (401, 403), path
    operator = Principal(name="op", kind=1, roles={0: frozenset({"sys.ClusterAdmin"})})
    own = deployed.client(operator)
    assert own.get(APPS).status_code == 401
    assert own.get(QUARANTINE).status_code == 401
    assert own.get(f"{QUARANTINE}?app={APP}").status_code == 200
    assert own.delete(f"{APPS}/acme/bank").status_code == 401
    assert deployed.system.get(CAFE + "/versions").json()["current"] == "1"


@pytest.mark.parametrize("path", [f"{APPS}?what=1", f"{QUARANTINE}?apps=x", f"{CAFE}/versions/1?progress=x"])
def test_what_no_operator_can_mean_is_refused(deployed, path):
    method = "DELETE" if "versions" in path else "GET"
    assert deployed.system.request(method, path).status_code == 400
