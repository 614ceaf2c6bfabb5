"""Deploys over HTTP that tell how far they have got, with and without a canary, and roll-backs."""

from __future__ import annotations

import json
import threading

import pytest
from cafe import APP, CODE, cafe

from statehold.processing import SYSTEM

VERSIONS = "/api/v2/apps/acme/cafe/versions"
FAILING = CODE.replace("return call.arg", 'raise ValueError("told to fail")')
ECHO = {"args": json.dumps({"T": "x"})}
LONG = "canary=0.5&canary-seconds=3600&progress=true"


@pytest.fixture
def image(tmp_path):
    """Return a function that builds another version of the app."""
    return lambda version, **kwargs: cafe(tmp_path, version, **kwargs).read_bytes()


@pytest.fixture(autouse=True)
def _first_version_again(served):
    yield
    served.system.post(f"{VERSIONS}/1/activate")


@pytest.fixture(scope="module")
def workspaces(served):
    """Return a workspace in partition 0 and one in partition 1."""
    made = {}
    while len(made) < 2:
        workspace = served.make_workspace()
        made[workspace % 2] = workspace
    return made[0], made[1]


def lines(served, path, content=None):
    """Yield what is answered line by line, while it comes."""
    with served.system.stream("POST", path, content=content) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
        yield from map(json.loads, answer.iter_lines())


def currents(served):
    return "".join(version.name for version in served.host.app(APP).currents)


def test_a_deploy_tells_each_step_and_how_the_version_before_ends(served, image):
    *steps, end = lines(served, f"{VERSIONS}?progress=true", image("2"))
    stages = list(dict.fromkeys(step["step"] for step in steps))
    assert stages == ["verify", "compile", "load", "compare", "open", "probe", "index", "make", "free"]
    assert steps[0]["text"] == f"verify the image of {APP} 2"
    assert {"step": "make", "text": "make 2 current"} in steps
    assert (end["ok"], end["version"], end["state"]) == (True, "2", "current")


def test_an_error_of_a_deploy_that_is_told_is_its_last_line(served, image):
    *steps, end = lines(served, f"{VERSIONS}?progress=true", image("3", partitions=3))
    assert steps[0]["step"] == "verify"
    assert (end["ok"], end["error"]["status"]) == (False, 409)
    assert "NumParts" in end["error"]["message"]
    assert currents(served) == "11"


def test_a_canary_that_does_well_becomes_current(served, image):
    *steps, end = lines(
        served, f"{VERSIONS}?progress=true&canary=0.5&canary-seconds=0.1&canary-errors=0.5", image("4")
    )
    figures = [step for step in steps if step["step"] == "canary"]
    assert figures[-1]["partitions"] == [0]
    assert figures[-1]["before"]["version"] == "1"
    assert end["ok"]
    assert currents(served) == "44"


def test_a_canary_whose_queries_fail_is_rolled_back(served, image, workspaces):
    first, second = workspaces
    found = {}
    for step in lines(
        served, f"{VERSIONS}?{LONG}&canary-calls=4&canary-errors=0.5", image("5", code=FAILING)
    ):
        if step.get("step") == "canary" and not found:
            client = served.client(SYSTEM, app="*")
            for workspace in (first, second) * 3:
                answer = client.get(served.at("queries/cafe.Echo", workspace), params=ECHO)
                found.setdefault(workspace, []).append(answer.status_code)
    assert found == {first: [500] * 3, second: [200] * 3}
    assert step["error"]["status"] == 409
    assert "3 of" in step["error"]["message"]
    assert currents(served) == "11"


def test_without_progress_a_canary_is_answered_once(served, image):
    answer = served.system.post(f"{VERSIONS}?canary=0.5&canary-seconds=0.1", content=image("6"))
    assert (answer.status_code, answer.json()["version"]) == (201, "6")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("canary=2", "share: expected 0 to 1"),
        ("canary=some", "canary: expected a number"),
        ("canary-calls=5", "goes with canary"),
        ("canary=0.1&canary-seconds=0", "seconds: expected more than 0"),
        ("progress=yes", "progress: expected true or false"),
    ],
)
def test_what_no_canary_can_be_is_refused(served, image, query, said):
    answer = served.system.post(f"{VERSIONS}?{query}", content=image("7"))
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert currents(served) == "11"


def test_a_client_that_goes_away_rolls_its_canary_back(served, image):
    back = threading.Event()
    forget = served.host.listen(
        lambda app: back.set() if {one.name for one in app.currents} == {"1"} else None
    )
    answered = lines(served, f"{VERSIONS}?{LONG}", image("8"))
    next(step for step in answered if step["step"] == "canary")
    assert currents(served) == "81"
    answered.close()
    assert back.wait(30)
    forget()
    assert currents(served) == "11"


def test_a_server_that_stops_ends_its_canary_at_once(served, start, system, image):
    client = start(host=served.host, of=served.runtime, drain_seconds=3600.0)
    stop = threading.Thread(target=start.stop)
    with client.stream("POST", f"{VERSIONS}?{LONG}", content=image("10"), headers=system) as answer:
        found = map(json.loads, answer.iter_lines())
        next(step for step in found if step["step"] == "canary")
        stop.start()
        *_, end = found
    stop.join(30)
    assert (end["ok"], end["error"]["status"]) == (False, 503)
    assert "the canary of acme.cafe 10 was ended: the server stops" in end["error"]["message"]
    assert currents(served) == "11"


def test_a_roll_back_tells_its_steps_too(served, image):
    assert served.system.post(VERSIONS, content=image("9")).status_code == 201
    *steps, end = lines(served, f"{VERSIONS}/rollback?progress=true")
    assert "make" in [step["step"] for step in steps]
    assert (end["version"], currents(served)) == ("1", "11")
    answer = served.system.post(f"{VERSIONS}/rollback")
    assert (answer.status_code, answer.json()["version"]) == (200, "9")


def test_only_operators_roll_back(served):
    assert served.client().post(f"{VERSIONS}/rollback").status_code == 403
    assert served.of("cafe.Cook").post(f"{VERSIONS}/rollback").status_code == 403
