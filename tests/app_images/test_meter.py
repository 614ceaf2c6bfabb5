from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from statehold.processing import SYSTEM, ProcessingError, Request
from statehold.sdk import DeployError

SAMPLE = Path(__file__).parents[2] / "app_images" / "acme.meter"
WASM = Path("image") / "pkg" / "acme.example" / "meter" / "wasm"
HERE = Request(app="acme.meter", workspace=1, principal=SYSTEM)


@pytest.fixture(params=["as it comes", "compiled anew"])
def meter(request, tmp_path):
    """Return the sample: with the module that comes along, and with one that is compiled now."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "acme.meter"))
    if request.param == "compiled anew":
        if not shutil.which("clang") or not shutil.which("wasm-ld"):
            pytest.skip("compiling the sample takes clang and lld, which are not installed")
        (folder / WASM / "storages-1.0.wasm").unlink()
        subprocess.run(["make", "-s", "-C", folder], check=True, timeout=120)
    return folder


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the sample, to be changed."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "acme.meter"))


def settings(folder, **storage):
    """Write other settings of the storage into the descriptor."""
    (folder / "descriptor.json").write_text(
        json.dumps({"Version": "2", "Storages": {"meter.Meter": storage}}), encoding="utf-8"
    )


def newer(folder):
    """Give the sample another version."""
    file = folder / "descriptor.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "Version": "2"}), encoding="utf-8")


def take(runtime, at, reading, **more):
    return runtime.command(HERE, "meter.Take", {"Meter": "gas", "At": at, "Reading": reading, **more})


def history(runtime):
    rows = runtime.query(HERE, "meter.History", {"Meter": "gas"})
    return [(row["At"], row["Reading"], row["Note"]) for row in rows]


def test_readings_are_kept_in_the_module_and_come_in_their_order(host, runtime, meter):
    host.deploy(meter)
    take(runtime, 2, 20.5)
    take(runtime, 1, 10.0)
    runtime.command(HERE, "meter.Annotate", {"Meter": "gas", "At": 2, "Note": "read twice"})
    assert history(runtime) == [(1, 10.0, None), (2, 20.5, "read twice")]


def test_what_the_module_refuses_is_the_caller_s_error(host, runtime, meter):
    host.deploy(meter)
    with pytest.raises(ProcessingError, match="the Note is longer than LongestNote allows"):
        take(runtime, 1, 1.0, Note="x" * 201)
    assert history(runtime) == []


def test_a_new_version_has_the_readings_of_the_one_before(host, runtime, copy):
    host.deploy(copy)
    for at in range(1000):
        take(runtime, at, float(at), Note="n" * (at % 50))
    before = history(runtime)
    newer(copy)
    host.deploy(copy)
    assert host.app("acme.meter").current.name == "2"
    assert history(runtime) == before
    assert len(before) == 1000


def test_a_version_that_is_rolled_back_to_has_what_was_taken_meanwhile(host, runtime, copy):
    host.deploy(copy)
    take(runtime, 1, 10.0)
    newer(copy)
    host.deploy(copy)
    take(runtime, 2, 20.0)
    host.rollback("acme.meter")
    assert host.app("acme.meter").current.name == "1"
    assert history(runtime) == [(1, 10.0, None), (2, 20.0, None)]
    take(runtime, 3, 30.0)
    assert history(runtime)[-1] == (3, 30.0, None)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"isolation": "inprocess"}, "storage meter.Meter is a WebAssembly module, which runs as wasm"),
        ({"isolation": "sidecar"}, "storage meter.Meter is a WebAssembly module, which runs as wasm"),
        ({"limits": {"memory_mb": 1}}, "has no such limit. Did you mean 'memory_mib'?"),
        ({"limits": {"memory_mib": 0.5}}, "limits.memory_mib: expected a whole number from 1 to 4096"),
        ({"limits": {"deadline": 0.001}}, "limits.deadline: expected a number from 0.01 to 86400"),
        ({"allow": {"network": ["a"]}}, "nothing of the host that it could be allowed: network"),
    ],
)
def test_what_the_operator_cannot_have_of_a_module_is_told(host, copy, given, problem):
    settings(copy, **given)
    with pytest.raises(DeployError) as caught:
        host.deploy(copy)
    assert problem in " ".join(caught.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("STORAGE Meter (", "STORAGE Metre (", "has no storage 'Metre'. Did you mean 'Meter'?"),
        (
            "WITH JSONCONFIG",
            "KEY (Meter text NOT NULL, At int32 NOT NULL) WITH JSONCONFIG",
            "declares the KEY field `At int32 NOT NULL`; provider 'Meter' has `At int64 NOT NULL`",
        ),
        ('"LongestNote"', '"LongestNotes"', "LongestNotes"),
        ("DEFAULT 200", "DEFAULT -1", "LongestNote is to be 0 or more"),
    ],
)
def test_a_declaration_that_the_module_does_not_fit_is_not_deployed(host, copy, old, new, problem):
    file = copy / "image" / "pkg" / "acme.example" / "meter" / "meter.vsql"
    text = file.read_text(encoding="utf-8").replace(old, new)
    if "Metre" in new:
        text = text.replace("(Meter)", "(Metre)")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DeployError) as caught:
        host.deploy(copy)
    assert problem in " ".join(caught.value.problems)


def test_a_package_without_a_module_is_not_deployed(host, copy):
    shutil.rmtree(copy / WASM)
    with pytest.raises(DeployError) as caught:
        host.deploy(copy)
    assert "its package has no module with storages" in " ".join(caught.value.problems)
