from __future__ import annotations

import asyncio
import json
import threading

import pytest
from cafe import CODE, VSQL, cafe

from statehold.serving._deploys import _in_thread

VERSIONS = "/api/v2/apps/acme/cafe/versions"
ECHO = {"args": json.dumps({"T": "x"})}
SECOND = CODE.replace("return call.arg", 'return {"T": "second"}')


@pytest.fixture
def image(tmp_path):
    """Return a function that builds another version of the app."""
    return lambda version="2", **kwargs: cafe(tmp_path, version, **kwargs).read_bytes()


@pytest.fixture(autouse=True)
def _first_version_again(served):
    yield
    served.system.post(f"{VERSIONS}/1/activate")


@pytest.fixture
def served(make_cafe):
    """A server for each test: versions are what they change."""
    return make_cafe()


def echo(served):
    return served.system.get(served.at("queries/cafe.Echo"), params=ECHO).json()["results"][0]["T"]


def test_an_image_that_is_sent_becomes_current(served, image):
    answer = served.system.post(VERSIONS, content=image(code=SECOND))
    assert answer.status_code == 201
    document = answer.json()
    assert (document["app"], document["version"], document["state"]) == ("acme.cafe", "2", "current")
    assert echo(served) == "second"
    assert served.system.post(f"{VERSIONS}/1/activate").json()["version"] == "1"
    assert echo(served) == "x"
    listed = served.system.get(VERSIONS).json()
    assert listed["current"] == "1"
    assert {one["version"] for one in listed["versions"]} == {"1", "2"}


def test_an_image_may_be_opened_beside_the_current_one(served, image):
    answer = served.system.post(f"{VERSIONS}?beside=true", content=image("3", code=SECOND))
    assert (answer.status_code, answer.json()["state"]) == (201, "ready")
    assert echo(served) == "x"


def test_no_request_fails_while_versions_are_swapped(served, image):
    images = [image("4", code=SECOND), image("5")]
    stop = threading.Event()
    found: list[int] = []

    def ask():
        client = served.client(served_principal())
        while not stop.is_set():
            found.append(client.get(served.at("queries/cafe.Echo"), params=ECHO).status_code)

    def served_principal():
        from statehold.processing import SYSTEM

        return SYSTEM

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for content in images * 2:
        assert served.system.post(VERSIONS, content=content).status_code == 201
    stop.set()
    for thread in threads:
        thread.join()
    assert set(found) == {200}


def test_only_operators_deploy(served, image):
    content = image("6")
    for client in (served.client(), served.of("sys.ClusterAdmin"), served.of("cafe.Cook")):
        assert client.post(VERSIONS, content=content).status_code == 403
        assert client.post(f"{VERSIONS}/1/activate").status_code == 403
        assert client.get(VERSIONS).status_code == 403


def test_an_image_of_another_app_is_refused(served, image):
    answer = served.system.post(VERSIONS.replace("cafe", "bank"), content=image("7"))
    assert answer.status_code == 400
    assert "acme.cafe" in answer.json()["message"]


@pytest.mark.parametrize("content", [b"", b"no image", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_image_is_refused(served, content):
    assert served.system.post(VERSIONS, content=content).status_code == 400
    assert echo(served) == "x"


def test_an_image_that_cannot_be_deployed_leaves_what_runs(served, image):
    answer = served.system.post(VERSIONS, content=image("8", partitions=3))
    assert answer.status_code == 409
    assert "NumParts" in answer.json()["message"]
    broken = served.system.post(
        VERSIONS, content=image("9", code=CODE.replace("@extension\ndef echo", "def echo"))
    )
    assert (broken.status_code, "Echo" in broken.json()["message"]) == (409, True)
    assert echo(served) == "x"


def test_an_image_that_breaks_what_there_is_is_refused_unless_that_is_accepted(served, image):
    content = image(
        "10",
        vsql=VSQL.replace("Hours INHERITS sys.CSingleton (Opens int32, ", "Hours INHERITS sys.CSingleton ("),
    )
    for query in ("", "?accept-breaking=false", "?beside=true"):
        answer = served.system.post(f"{VERSIONS}{query}", content=content)
        assert answer.status_code == 409
        assert "table cafe.Hours: field Opens is gone (breaks data)" in answer.json()["message"]
    assert served.system.get(VERSIONS).json()["current"] == "1"
    answer = served.system.post(f"{VERSIONS}?accept-breaking=true", content=content)
    assert (answer.status_code, answer.json()["state"]) == (201, "current")
    assert served.system.get(VERSIONS).json()["current"] == "10"


def test_a_version_that_is_not_deployed_cannot_be_activated(served):
    assert served.system.post(f"{VERSIONS}/none/activate").status_code == 404
    assert served.system.post(f"{VERSIONS}?beside=perhaps").status_code == 400
    assert served.system.post(f"{VERSIONS}?accept-breaking=perhaps").status_code == 400


def test_an_image_that_is_too_long_is_refused_and_leaves_no_file(start, system, tmp_path):
    client = start(image=1000)
    answer = client.post(VERSIONS, content=b"x" * 2000, headers=system)
    assert answer.status_code == 413
    assert not list(tmp_path.glob("arriving-*"))


def test_a_deploy_goes_on_where_the_server_waits_for_it_no_more(monkeypatch):
    raised, go, done = [], threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", raised.append)
    found = []

    async def wait():
        waiting = _in_thread(lambda: go.wait(30), done.set)
        found.append(next(one for one in threading.enumerate() if one.name == "statehold-deploy"))
        waiting.cancel()

    asyncio.run(wait())
    go.set()
    assert done.wait(30)
    found[0].join(30)
    assert raised == []
