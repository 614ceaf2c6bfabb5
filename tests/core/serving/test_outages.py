"""What a caller over HTTP is told when a storage fails that lives in a sidecar or in WebAssembly."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from statehold.hosting import Host
from statehold.images import build_image
from statehold.processing import Runtime
from statehold.serving import Counting, Server, Tokens

sys.path.insert(0, str(Path(__file__).parents[1] / "loading" / "wasm"))

from wasm_modules import DESCRIPTION, module, packed

AT = "/api/v2/apps/acme/things/workspaces/1"
GOOD, REFUSED, CRASH, HANG, CRASH_ONCE, CRASH_AT_APPLY, TRAP, WILD = range(1, 9)

VSQL = """
APPLICATION things();

STATESTORAGE ENGINE {engine} (
  STORAGE Thing (GET SCOPE(QUERIES), INSERT SCOPE(COMMANDS))
  KEY (Id int64 NOT NULL) VALUE (Count int32, Text text);
);

ALTER WORKSPACE sys.AppWorkspaceWS (
  TYPE Asked (Id int64 NOT NULL);
  TYPE Shown (Count int32);
  EXTENSION ENGINE PYTHON (
    QUERY Show(Asked) STATE(Thing) RETURNS Shown;
    COMMAND Put(Asked) INTENTS(Thing);
  );
  GRANT EXECUTE ON QUERY Show TO sys.Everyone;
  GRANT EXECUTE ON COMMAND Put TO sys.Everyone;
);
"""

CODE = """
from statehold.sdk import extension

@extension
def show(call):
    found = call.Thing.get(Id=call.arg.Id)
    return {"Count": found and found.Count}

@extension
def put(call):
    call.Thing.insert(Id=call.arg.Id, Count=8)
"""

PYPROJECT = """
[project]
name = "things"
version = "1"

[project.entry-points."statehold.storages"]
Thing = "things:provider"
"""

PLUGIN = """
import os
import threading

from statehold.sdk import Field, Operation, Provider, StorageError

GOOD, REFUSED, CRASH, HANG, CRASH_ONCE, CRASH_AT_APPLY = range(1, 7)


class Thing:
    def __init__(self, ctx):
        self.ctx = ctx

    def get(self, key):
        kept = self.ctx.data_folder / str(key.Id)
        if key.Id == REFUSED:
            raise StorageError("the password is hunter2")
        if key.Id == CRASH:
            self.end()
        if key.Id == HANG:
            threading.Event().wait(60)
        if key.Id == CRASH_ONCE:
            self.end_once(kept)
        if key.Id == CRASH_AT_APPLY:
            return self.ctx.value(Count=8) if (kept.parent / "applied").exists() else None
        return self.ctx.value(Count=7, Text="seven")

    def end(self):
        print("the password is hunter2", flush=True)
        os._exit(3)

    def end_once(self, kept):
        if not kept.exists():
            kept.write_text("")
            self.end()

    def value_to_insert(self, key, value):
        return value

    def validate(self, items):
        for item in items:
            if item.key.Id == CRASH:
                count = self.ctx.data_folder / "validated"
                count.write_text((count.read_text() if count.exists() else "") + "x")
                self.end()

    def apply_batch(self, items):
        for item in items:
            if item.key.Id == CRASH_AT_APPLY:
                self.end_once(self.ctx.data_folder / str(item.key.Id))
        (self.ctx.data_folder / "applied").write_text("")

    def free(self):
        pass


provider = Provider(
    name="Thing", open=Thing, operations=[Operation.GET, Operation.INSERT],
    key=[Field("Id", "int64", required=True)], value=[Field("Count", "int32"), Field("Text", "text")],
)
"""


def by_key(**deeds):
    """Return the code of a GET that does as *deeds* say, by the key's Id."""
    code = packed([7, "seven"])
    for number, deed in deeds.items():
        is_it = f"(i32.eq (i32.load8_u offset=2 (local.get 0)) (i32.const {number.strip('_')}))"
        code = f"(if (result i64) {is_it} (then {deed}) (else {code}))"
    return code


def wasm():
    deeds = {
        f"_{REFUSED}": packed("the password is hunter2"),
        f"_{HANG}": "(loop $again (br $again)) (unreachable)",
        f"_{TRAP}": "(unreachable)",
        f"_{WILD}": "(i64.const -1)",
    }
    storage = {**DESCRIPTION["storages"][0], "operations": ["GET", "INSERT"]}
    unused = dict.fromkeys(("statehold_get_batch", "statehold_read", "statehold_next", "statehold_end"), None)
    functions = {**unused, "statehold_get": by_key(**deeds)}
    return module(functions, description={**DESCRIPTION, "storages": [storage]})


def image(folder, isolation, deadline):
    root = folder / "acme.things"
    package = root / "image/pkg/example.com/things"
    (package / "extensions").mkdir(parents=True)
    engine = "WASM" if isolation == "wasm" else "PYPLUGIN"
    (package / "things.vsql").write_text(VSQL.format(engine=engine))
    (package / "extensions/things.py").write_text(CODE)
    if isolation == "wasm":
        (package / "storages-1.wasm").write_bytes(wasm())
    else:
        (package / "storages/things").mkdir(parents=True)
        (package / "storages/pyproject.toml").write_text(PYPROJECT)
        (package / "storages/things/__init__.py").write_text(PLUGIN)
    box = {"isolation": isolation}
    if isolation != "inprocess":
        box["limits"] = {"deadline": deadline}
    (root / "descriptor.json").write_text(json.dumps({"Version": "1", "Storages": {"things.Thing": box}}))
    return build_image(root, folder / "things.shi")


@pytest.fixture
def asking(tmp_path):
    """Return a function that deploys the app and serves it, and returns what asks for a thing."""
    opened = []

    def asking(isolation, *, deadline=20):
        host = Host(tmp_path / "data", environ={})
        opened.append(host.close)
        host.deploy(image(tmp_path, isolation, deadline))
        counting = Counting()
        runtime = Runtime(host, meter=counting)
        opened.append(runtime.close)
        server = Server(host, runtime, tokens=Tokens(b"k" * 32), data_folder=tmp_path, meter=counting)
        opened.append(server.stop)
        server.__enter__()
        client = httpx.Client(base_url=server.url, timeout=90)
        opened.append(client.close)
        return Asking(client)

    yield asking
    for close in reversed(opened):
        close()


class Asking:
    def __init__(self, client):
        self.client = client

    def show(self, number):
        return self.client.get(f"{AT}/queries/things.Show", params={"args": json.dumps({"Id": number})})

    def put(self, number):
        return self.client.post(f"{AT}/commands/things.Put", json={"args": {"Id": number}})

    def figures(self, name):
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return {
            sample.labels["plugin"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == name
        }

    def goes_on(self, number=GOOD, count=7):
        """Ask as a client does that tries again where it is told to, until there is an answer."""
        end, waiting = time.monotonic() + 60, threading.Event()
        while (answer := self.show(number)).status_code in (503, 504) and time.monotonic() < end:
            waiting.wait(0.05)
        assert (answer.status_code, answer.json()) == (200, {"results": [{"Count": count}]})


def told(answer, status, message, **more):
    """Check what a caller is told, and that it is no more than that."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert message in body["message"]
    assert "hunter2" not in answer.text
    assert (body["status"], body["qname"]) == (status, "things.Show")
    assert more.pop("retry_after", None) == answer.headers.get("Retry-After")


@pytest.mark.parametrize("isolation", ["inprocess", "sidecar", "wasm"])
def test_what_a_storage_answers_and_what_it_refuses_is_the_same_in_every_isolation(asking, isolation, caplog):
    things = asking(isolation)
    assert things.show(GOOD).json() == {"results": [{"Count": 7}]}
    assert things.put(GOOD).status_code == 200
    refused = things.show(REFUSED)
    told(refused, 500, "things.Show failed; the host's log says how")
    reference = refused.json()["data"]["reference"]
    assert [one for one in caplog.messages if reference in one and "the password is hunter2" in one]
    things.goes_on()


def test_a_storage_whose_sidecar_crashes_again_and_again_is_503_and_to_be_tried_again(asking):
    things = asking("sidecar")
    told(
        things.show(CRASH),
        503,
        "things.Show failed: a storage crashed, and is started again",
        retry_after="1",
    )
    things.goes_on()
    # Each call is two crashes, until it is left alone.
    for _ in range(10):
        answer = things.show(CRASH)
        if "left alone" in answer.text:
            break
    told(answer, 503, "a storage has failed too often, and is left alone for a while", retry_after="5")
    things.goes_on()
    assert things.figures("statehold_sidecars") == {"things": 1}
    assert things.figures("statehold_sidecar_broken") == {"things": 0}
    assert things.figures("statehold_sidecar_restarts_total")["things"] >= 3


def test_what_only_reads_is_asked_again_in_the_same_call_when_its_sidecar_crashes(asking):
    answer = asking("sidecar").show(CRASH_ONCE)
    assert (answer.status_code, answer.json()) == (200, {"results": [{"Count": 7}]})


def test_a_command_whose_change_cannot_be_looked_at_is_503_and_not_tried_again(asking, tmp_path):
    things = asking("sidecar")
    answer = things.put(CRASH)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["message"] == "things.Put failed: a storage crashed, and is started again"
    (count,) = (tmp_path / "data" / "apps").rglob("validated")
    assert count.read_text() == "x"
    things.goes_on()


def test_a_command_that_is_durable_is_answered_and_what_its_storage_lost_is_done_later(asking):
    things = asking("sidecar")
    assert things.put(CRASH_AT_APPLY).status_code == 200
    end, waiting = time.monotonic() + 60, threading.Event()
    while things.show(CRASH_AT_APPLY).text != '{"results":[{"Count":8}]}' and time.monotonic() < end:
        waiting.wait(0.05)
    things.goes_on(CRASH_AT_APPLY, 8)


@pytest.mark.parametrize("isolation", ["sidecar", "wasm"])
def test_a_storage_that_does_not_answer_in_time_is_504(asking, isolation):
    things = asking(isolation, deadline=1)
    told(things.show(HANG), 504, "things.Show failed: a storage did not answer in time")
    things.goes_on()


@pytest.mark.parametrize("deed", [TRAP, WILD])
def test_a_module_that_traps_is_500_and_is_replaced(asking, deed):
    things = asking("wasm")
    for _ in range(2):
        told(things.show(deed), 500, "things.Show failed; the host's log says how")
        things.goes_on()
