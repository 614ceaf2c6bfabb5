"""What an operator may ask for, and what every combination that cannot be is refused with."""

from __future__ import annotations

import pytest

from statehold.hosting import Rehearsal, Sandbox
from statehold.loading.sidecar import Sidecars
from statehold.loading.sidecar.host import _zygote
from statehold.sdk import DeployError

LOADED = "raise RuntimeError('the plugin was loaded')"


def problems(host, image):
    with pytest.raises(DeployError) as raised:
        host.deploy(image)
    return raised.value.problems


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        (
            {"isolation": "wasm"},
            """isolation: storage den.Box is PYPLUGIN, and Python does not run as wasm. \
Write inprocess or sidecar""",
        ),
        (
            {"isolation": "sidecar", "limits": {"memory": 1}},
            "limits: unknown key 'memory'. Did you mean 'memory_mib'?",
        ),
        (
            {"isolation": "sidecar", "limits": {"deadline": 0}},
            "limits.deadline: expected a number above 0, got 0",
        ),
        (
            {"isolation": "sidecar", "limits": {"open_files": 3}},
            "limits.open_files: a number from 16 on, or None, got 3",
        ),
        (
            {"isolation": "sidecar", "allow": {"network": ["*.example.com"]}},
            "allow.network: '*.example.com': expected a host name or an address, with or without a port",
        ),
        (
            {"isolation": "sidecar", "allow": {"network": "example.com"}},
            "allow.network: expected a list of hosts, got 'example.com'",
        ),
        (
            {"isolation": "sidecar", "allow": {"netwrok": ["example.com"]}},
            "allow: unknown key 'netwrok'. Did you mean 'network'?",
        ),
        (
            {"limits": {"memory_mib": 64}},
            """limits: nothing limits a storage that runs inprocess: memory_mib would be ignored. \
Take it out, or write "isolation": "sidecar\"""",
        ),
    ],
)
def test_what_cannot_be_had_is_told_and_nothing_is_loaded(host, den, box, problem):
    image = den("1", box=box, code=LOADED)
    assert problems(host, image) == (f"descriptor.json: Storages.den.Box.{problem}",)


def test_an_executable_runs_in_a_sidecar_alone(host, den):
    image = den("1", engine="GOPLUGIN", executable="", box={"isolation": "inprocess"})
    (found,) = problems(host, image)
    assert found == (
        "descriptor.json: Storages.den.Box.isolation: storage den.Box is an executable, which runs as "
        "sidecar, not inprocess. Take it out, or write sidecar"
    )


def test_a_package_without_its_executable_is_told_what_to_call_it(host, den):
    (found,) = problems(host, den("1", engine="GOPLUGIN"))
    assert "its package has no executable with storages" in found
    assert "called storages-<version>, without a suffix" in found


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("rank=Rank.ROWS,", "what it writes is a part of the host's own commit"),
        ("entity_key=lambda shape: [],", "it makes the keys of the app's entities itself"),
        ("inprocess_only='it has a window',", "it has a window"),
    ],
)
def test_a_storage_that_stands_on_the_host_cannot_leave_it(host, den, options, why):
    host.deploy(den("1", options=options.replace("entity_key=lambda shape: [],", "")))
    found = problems(host, den("2", box={"isolation": "sidecar"}, options=options))
    assert (
        "descriptor.json: Storages.den.Box.isolation: storage den.Box cannot run in a sidecar: provider "
        f"'Box' says: {why}. Take it out, or write inprocess"
    ) in found


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("View", "it stands on the views of the app, which the host keeps"),
        ("Record", "it stands on the records of the app, which the host keeps"),
        ("Uniq", "it reads the records of the app, which the host keeps"),
        ("WLog", "it reads the events of the app, which the host keeps"),
        ("FederationCommand", "it asks the host where other applications are, and for a token"),
        ("FederationBlob", "it asks the host where other applications are, and for a token"),
        ("Result", "it is a part of the host's own answer"),
        ("Response", "it is a part of the host's own answer"),
        ("RequestSubject", "it gives the token of the request, which does not leave the host"),
    ],
)
def test_the_storages_of_sys_that_stay_in_the_host_say_why(host, den, name, why):
    (found,) = problems(host, den("1", Storages={f"sys.{name}": {"isolation": "sidecar"}}))
    assert f"storage sys.{name} cannot run in a sidecar: provider {name!r} says: {why}. " in found


def test_builtin_storages_that_need_nothing_of_the_host_can_leave_it(host, den):
    suited = ("AppSecret", "Http", "Logger", "SendMail", "CommandContext", "QueryContext", "JobContext")
    host.deploy(den("1", Storages={f"sys.{name}": {"isolation": "sidecar"} for name in suited}))
    with host.app("acme.den").borrow() as partition:
        for name in suited:
            assert "sidecar" in type(partition.storage(f"sys.{name}")).__mro__[-2].__module__


def test_a_storage_in_a_sidecar_has_those_that_it_requires_in_the_same_one(host, kitchen):
    apart = {"isolation": "sidecar"}
    (found,) = problems(host, kitchen("1", Storages={"kitchen.Historian": apart}))
    assert found == (
        "descriptor.json: Storages.kitchen.Historian.isolation: storage kitchen.Historian runs in a sidecar "
        "and requires kitchen.Scada, which does not run in the same one. Give both the same isolation, "
        "limits and allow, in one plugin file"
    )
    limited = {**apart, "limits": {"deadline": 2}}
    found = problems(host, kitchen("1", Storages={"kitchen.Historian": apart, "kitchen.Scada": limited}))
    assert len(found) == 1
    host.deploy(kitchen("1", Storages={"kitchen.Historian": apart, "kitchen.Scada": apart}))
    # One that runs in the host may reach into a sidecar.
    host.deploy(kitchen("2", Storages={"kitchen.Scada": apart}), accept_breaking=True)


def test_everything_is_told_at_once(host, kitchen):
    image = kitchen(
        "1",
        Storages={
            "kitchen.Scada": {"isolation": "wasm"},
            "kitchen.Historian": {"isolation": "sidecar", "limits": {"deadlin": 1}},
            "sys.View": {"isolation": "sidecar"},
        },
        PackageParams={"kitchen": {"Fial": "x"}},
    )
    found = problems(host, image)
    assert len(found) == 4
    assert "did you mean 'Fail'?" in " ".join(found)


def test_a_rehearsal_finds_the_same_and_starts_nothing(tmp_path, den, monkeypatch):
    def start(self, *_, **__):
        raise AssertionError("a sidecar was started")

    monkeypatch.setattr(Sidecars, "_load", start)
    apart = {"isolation": "sidecar"}
    with Rehearsal(den("1", box=apart), folder=tmp_path / "one") as rehearsal:
        assert rehearsal.problems == []
    with Rehearsal(den("1", box=apart, options="rank=Rank.ROWS,"), folder=tmp_path / "two") as rehearsal:
        (found,) = rehearsal.problems
        assert "cannot run in a sidecar: provider 'Box' says: what it writes is a part" in found
    with Rehearsal(den("1", box={"isolation": "wasm"}), folder=tmp_path / "three") as rehearsal:
        (found,) = rehearsal.problems
        assert "Python does not run as wasm" in found


def test_what_the_sandbox_lacks_is_a_warning_of_the_deploy(host, den, monkeypatch):
    lacking = ("landlock: not in this kernel",)
    loaded = Sidecars.load_file

    def load_file(self, *args, **kwargs):
        plugin = loaded(self, *args, **kwargs)
        plugin.lacking = lacking
        return plugin

    monkeypatch.setattr(Sidecars, "load_file", load_file)
    version = host.deploy(den("1", box={"isolation": "sidecar"}))
    told = "this machine lacks a part of the sandbox that sidecars are shut in with: "
    assert version.warnings.count(told + lacking[0]) == 1


def test_where_the_sandbox_is_required_what_it_lacks_is_a_refusal(open_host, environ, den, monkeypatch):
    """Before the code of the plugin is loaded."""
    unknown = "import os; real = os.uname(); os.uname = lambda: type(real)((*real[:4], 'riscv64'))"
    monkeypatch.setattr(_zygote, "_START", f"{unknown}\n{_zygote._START}")
    host = open_host(environ=environ, sandbox=Sandbox.REQUIRED)
    (found,) = problems(host, den("1", box={"isolation": "sidecar"}, code=LOADED))
    assert "was not loaded: the sandbox is not complete" in found
    assert "riscv64" in found
    assert host.apps() == ()
