"""What one version hands over to the next, when they run in different places; what an executable is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from statehold.hosting import Sandbox
from statehold.sdk import DeployError
from statehold.trust import OwnerTrust, Rule, change_store

APART = {"isolation": "sidecar"}
SPEAKER = Path(__file__).parents[2] / "loading" / "sidecar" / "speaker.py"
HERE = {"isolation": "inprocess"}


@pytest.mark.parametrize(
    ("first", "second"), [(HERE, APART), (APART, HERE), (APART, APART), (HERE, HERE)], ids=str
)
def test_a_version_takes_over_what_the_one_before_holds(host, den, put, show, everything, first, second):
    host.deploy(den("1", box=first))
    put("a", "1")
    put("b", "2")
    before = show("pid")
    host.deploy(den("2", box=second), accept_breaking=True)
    assert everything() == [("a", "1"), ("b", "2")]
    assert show("version") == "2"
    assert (show("pid") == before) is (first == second == HERE)


def test_a_version_that_is_brought_back_takes_over_in_its_turn(host, den, put, everything):
    host.deploy(den("1", box=APART))
    host.deploy(den("2"), accept_breaking=True)
    put("c", "3")
    host.rollback("acme.den")
    assert everything() == [("c", "3")]


def test_a_host_that_is_opened_again_has_its_sidecars_again(open_host, environ, den):
    host = open_host(environ=environ)
    host.deploy(den("1", box=APART))
    host.close()
    with open_host(environ=environ).app("acme.den").borrow() as partition:
        found = partition.facades("den.Show")["den.Box"].find(1, Name="pid").Text
        assert int(found) != os.getpid()


# Executables, which speak the protocol themselves.


@pytest.fixture
def speaker(den):
    """Return what builds the image with an executable that knows nothing of Statehold."""
    text = SPEAKER.read_text(encoding="utf-8")
    for old, new in (
        ('"Foreign"', '"Box"'),
        ('"Number", "int64"', '"Text", "text"'),
        ('["COMMANDS", "QUERIES"]', '["COMMANDS", "QUERIES", "JOBS"]'),
        ('"READ", "INSERT"', '"READ", "INSERT", "UPDATE"'),
        ('"value_to_insert", "validate"', '"value_to_insert", "value_to_update", "validate"'),
        ('["value_to_insert"]', '["value_to_insert", "value_to_update"]'),
    ):
        assert old in text
        text = text.replace(old, new)

    def build(version="1", text=text, **kwargs):
        return den(version, engine="GOPLUGIN", executable=text, config="", **kwargs)

    return build


def test_an_executable_of_the_image_serves_commands_and_queries(host, speaker, put, show, everything):
    host.deploy(speaker())
    put("b", "2")
    put("a", "1")
    assert show("a") == "1"
    assert everything() == [("a", "1"), ("b", "2")]


def test_an_executable_that_ends_is_told_with_what_it_wrote(host, speaker):
    with pytest.raises(DeployError, match="no such luck"):
        host.deploy(speaker(text="raise SystemExit('no such luck')"))
    assert host.apps() == ()


def test_an_executable_that_does_not_fit_its_declaration_is_told_as_any_plugin(host, speaker):
    with pytest.raises(DeployError) as raised:
        host.deploy(speaker(schema="KEY (Name text NOT NULL) VALUE (Text int32)"))
    (problem,) = raised.value.problems
    assert "declares the VALUE field `Text int32`; provider 'Box' has `Text text`" in problem


def test_an_executable_gives_way_to_python_and_takes_its_place_again(host, den, speaker, put, everything):
    host.deploy(speaker("1"))
    put("a", "1")
    host.deploy(den("2", box=APART), accept_breaking=True)
    assert everything() == [("a", "1")]
    host.rollback("acme.den")
    assert everything() == []


# Images that nobody has signed.


@pytest.fixture
def untrusted(open_host, environ, tmp_path):
    """Return what opens a host that takes unsigned images isolated only."""
    (tmp_path / "data").mkdir(mode=0o700)
    rule = OwnerTrust(unsigned=Rule.ISOLATED)
    change_store(tmp_path / "data/trust.json", lambda old: old.with_owner("acme", rule))
    return lambda **kwargs: open_host(environ=environ, **kwargs)


@pytest.mark.parametrize("box", [None, HERE, {"isolation": "wasm"}, APART])
def test_an_unsigned_plugin_never_runs_in_the_host(untrusted, den, tmp_path, box):
    mark = tmp_path / "mark"
    image = den("1", box=box, code=f"open({str(mark)!r}, 'w')", engine="PYPLUGIN")
    with pytest.raises(DeployError, match="extensions in Python run in the host's process"):
        untrusted().deploy(image)
    assert not mark.exists()


def test_an_unsigned_plugin_runs_in_a_sidecar(untrusted, den):
    host = untrusted()
    assert host.deploy(den("1", box=APART, silent=True)).name == "1"


def test_an_unsigned_plugin_does_not_run_in_a_sidecar_that_nothing_shuts_in(untrusted, den):
    with pytest.raises(DeployError, match=r"den\.Box runs in a sidecar, which this host does not shut in"):
        untrusted(sandbox=Sandbox.OFF).deploy(den("1", box=APART, silent=True))


def test_an_unsigned_plugin_that_is_placed_wrong_is_not_loaded_to_be_checked(untrusted, den, tmp_path):
    mark = tmp_path / "mark"
    image = den("1", box={"isolation": "wasm"}, code=f"open({str(mark)!r}, 'w')", silent=True)
    with pytest.raises(DeployError, match="Python does not run as wasm"):
        untrusted().deploy(image)
    assert not mark.exists()
