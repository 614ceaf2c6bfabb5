from __future__ import annotations

import json
import re

import pytest
import wasmtime

from statehold.extensions import CodeError, NoEngineError
from statehold.extensions.wasm import WasmLimits
from statehold.hosting import Host
from statehold.images import ExtensionSettings
from statehold.processing import SYSTEM, ProcessingError, Request, Runtime
from statehold.sdk import DeployError, Scope, StateholdError

ENDLESS = "(loop $again (br $again))"


def test_limits_that_nobody_has_set_are_the_defaults():
    assert WasmLimits().set_by(None) == WasmLimits()
    assert WasmLimits().set_by(ExtensionSettings()) == WasmLimits()


def test_the_operator_sets_memory_and_the_time_of_what_is_named():
    limits = WasmLimits().set_by(ExtensionSettings(memory_mib=2, seconds={Scope.JOBS: 7}))
    assert limits.memory == 2 * 1024 * 1024
    assert limits.seconds == {**WasmLimits().seconds, Scope.JOBS: 7}


def test_a_guest_computes_as_long_as_the_operator_lets_it(stage, wat):
    guest = wat()
    guest.add("Do", ENDLESS)
    engine = stage.load(guest, settings={"t": ExtensionSettings(seconds={Scope.COMMANDS: 0.02})})
    with pytest.raises(CodeError, match=r"computed for more than 0\.02 s"):
        stage.run(engine)


def test_a_guest_has_as_much_memory_as_the_operator_gives_it(stage, wat):
    guest = wat()
    guest.add("Do", "(if (i32.eq (memory.grow (i32.const 30)) (i32.const -1)) (then (unreachable)))")
    stage.run(stage.load(guest, settings={"t": ExtensionSettings(memory_mib=2)}))
    with pytest.raises(CodeError, match="unreachable"):
        stage.run(stage.load(guest, settings={"t": ExtensionSettings(memory_mib=1)}))


def test_a_module_that_needs_more_memory_than_the_operator_gives_is_refused(stage, wat):
    guest = wat()
    guest.pages = 17
    with pytest.raises(DeployError) as caught:
        stage.load(guest, settings={"t": ExtensionSettings(memory_mib=1)})
    [problem] = caught.value.problems
    assert "needs 17 pages of memory from the start, and 16 is the limit" in problem


def test_another_wasmtime_is_refused(stage, wat, monkeypatch):
    monkeypatch.setattr("statehold.loading.wasm.machine._native.version", lambda _: "51.0.0")
    with pytest.raises(StateholdError, match=r"made for wasmtime 50, and has 51\.0\.0") as caught:
        stage.load(wat())
    assert caught.value.hint == "Install one that fits: pip install 'wasmtime==50.*'"


VSQL = """
APPLICATION t();
ALTER WORKSPACE sys.AppWorkspaceWS (
  EXTENSION ENGINE WASM (COMMAND Do(); COMMAND Rest(););
);
"""


@pytest.fixture
def image(tmp_path, wat):
    """Return a function that makes the image of an app whose guest computes for ever."""

    def image(**descriptor):
        guest = wat()
        guest.add("Do", ENDLESS, variables="")
        guest.add("Rest", "", variables="")
        folder = tmp_path / "acme.t"
        package = folder / "image" / "pkg" / "acme.example" / "t"
        package.mkdir(parents=True)
        (folder / "descriptor.json").write_text(json.dumps(descriptor))
        (package / "t.vsql").write_text(VSQL)
        (package / "t.wasm").write_bytes(bytes(wasmtime.wat2wasm(guest.source())))
        return folder

    return image


def test_the_limits_of_the_descriptor_are_those_of_the_guest(image, tmp_path):
    with Host(tmp_path / "data") as host, Runtime(host) as runtime:
        host.deploy(image(Extensions={"t": {"limits": {"seconds": 0.05}}}))
        request = Request(app="acme.t", workspace=1, principal=SYSTEM)
        with pytest.raises(ProcessingError, match=r"COMMAND t\.Do failed: it computed for more than 0\.05 s"):
            runtime.command(request, "t.Do", {})
        runtime.command(request, "t.Rest", {})


@pytest.mark.parametrize(
    ("package", "why"),
    [
        ("tt", "Extensions.tt: the app has no such package. Did you mean 't'?"),
        ("sys", "Extensions.sys: its limits are for WebAssembly, and it has none. Take it out"),
    ],
)
def test_limits_of_a_package_without_webassembly_are_refused(image, tmp_path, package, why):
    with Host(tmp_path / "data") as host, pytest.raises(DeployError, match=re.escape(why)):
        host.deploy(image(Extensions={package: {"limits": {"memory_mib": 1}}}))


def test_a_kind_that_the_descriptor_gives_no_engine_is_busy(stage, wat):
    engine = stage.load(wat(), pool_sizes={**dict.fromkeys(Scope, 1), Scope.COMMANDS: 0})
    with pytest.raises(NoEngineError):
        stage.run(engine)
