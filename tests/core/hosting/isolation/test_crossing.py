"""What one version hands over to the next, when they run in different places; what an executable is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from statehold.hosting import Sandbox
from statehold.loading.sidecar.host import _zygote
from statehold.processing import SYSTEM, Request, Runtime
from statehold.sdk import DeployError
from statehold.trust import OwnerTrust, Rule, change_store

APART = {"isolation": "sidecar"}
SAMPLE = Path(__file__).parents[4] / "app_images" / "acme.meter"
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


def test_a_version_that_takes_nothing_over_is_kept_open_in_its_sidecar(open_host, environ, den):
    host = open_host(environ=environ, keep=1)
    first = host.deploy(den("1", box=APART, deed="alone"))
    host.deploy(den("2", box=APART, deed="alone"))
    assert host.rollback("acme.den") is first


def test_a_version_that_takes_over_is_opened_anew_in_its_sidecar(open_host, environ, den):
    host = open_host(environ=environ, keep=1)
    first = host.deploy(den("1", box=APART))
    host.deploy(den("2", box=APART))
    assert host.rollback("acme.den") is not first


def test_a_host_that_is_opened_again_has_its_sidecars_again(open_host, environ, den):
    host = open_host(environ=environ)
    host.deploy(den("1", box=APART))
    host.close()
    with open_host(environ=environ).app("acme.den").borrow() as partition:
        found = partition.facades("den.Show")["den.Box"].find(1, Name="pid").Text
        assert int(found) != os.getpid()


# Between WebAssembly and the others: the module of the sample, and the same storage in Python.


METER = """
import msgspec

from statehold.sdk import Field, IWithRows, Operation, Provider, merge

class Config(msgspec.Struct):
    LongestNote: int = 200

class Meter:
    def __init__(self, ctx):
        self.ctx = ctx
        self.kept = {}
        if isinstance(ctx.existing, IWithRows):
            for key, value in ctx.existing.rows():
                self.kept[key.WSID, key.Meter, key.At] = value.Reading, value.Note

    def value(self, row):
        return self.ctx.value(Reading=row[0], Note=row[1])

    def get(self, key):
        row = self.kept.get((key.WSID, key.Meter, key.At))
        return None if row is None else self.value(row)

    def read(self, key):
        return (row for row in self.rows() if row[0].WSID == key.WSID and row[0].Meter == key.Meter)

    def rows(self):
        for key, row in sorted(self.kept.items()):
            yield self.ctx.key_class(*key), self.value(row)

    def value_to_insert(self, key, value):
        return value

    def value_to_update(self, key, existing, changes):
        return merge(existing, changes)

    def validate(self, items):
        pass

    def apply_batch(self, items):
        for item in items:
            at = item.key.WSID, item.key.Meter, item.key.At
            self.kept[at] = item.value.Reading, item.value.Note

    def free(self):
        pass

provider = Provider(
    name="Meter", open=Meter, config=Config,
    operations=[Operation.GET, Operation.READ, Operation.INSERT, Operation.UPDATE],
    key=[Field("Meter", "text", required=True), Field("At", "int64", required=True)],
    value=[Field("Reading", "float64"), Field("Note", "text")],
)
"""
PROJECT = """
[project]
name = "meters"
version = "1"

[project.entry-points."statehold.storages"]
Meter = "meters:provider"
"""


@pytest.fixture
def meter(tmp_path):
    """Return what makes versions of the sample with its storage in WebAssembly or in Python."""

    def make(version, isolation):
        root = Path(shutil.copytree(SAMPLE, tmp_path / version / "acme.meter"))
        package = root / "image/pkg/acme.example/meter"
        if isolation != "wasm":
            shutil.rmtree(package / "wasm")
            (package / "storages/meters").mkdir(parents=True)
            (package / "storages/meters/__init__.py").write_text(METER)
            (package / "storages/pyproject.toml").write_text(PROJECT)
            text = (package / "meter.vsql").read_text()
            (package / "meter.vsql").write_text(text.replace("ENGINE WASM", "ENGINE PYPLUGIN"))
        content = {"Version": version, "Storages": {"meter.Meter": {"isolation": isolation}}}
        (root / "descriptor.json").write_text(json.dumps(content))
        return root

    return make


def test_rows_go_through_every_isolation_and_back(host, runtime, meter):
    here = Request(app="acme.meter", workspace=1, principal=SYSTEM)
    expected = []
    way = ["inprocess", "sidecar", "wasm", "sidecar", "inprocess", "wasm", "inprocess"]
    for at, isolation in enumerate(way):
        host.deploy(meter(f"{at}", isolation), accept_breaking=True)
        runtime.command(here, "meter.Take", {"Meter": "gas", "At": at, "Reading": at / 2})
        expected.append((at, at / 2))
        rows = runtime.query(here, "meter.History", {"Meter": "gas"})
        assert [(row["At"], row["Reading"]) for row in rows] == expected


def test_what_is_written_at_each_step_goes_through_every_isolation_and_back(open_host, environ, meter):
    host = open_host(environ=environ, keep=1)
    here, expected = Request(app="acme.meter", workspace=1, principal=SYSTEM), []
    with Runtime(host) as runtime:

        def write(_):
            expected.append((len(expected), len(expected) / 2))
            at, reading = expected[-1]
            runtime.command(here, "meter.Take", {"Meter": "gas", "At": at, "Reading": reading})

        def found():
            rows = runtime.query(here, "meter.History", {"Meter": "gas"})
            return [(row["At"], row["Reading"]) for row in rows]

        host.deploy(meter("0", "wasm"))
        for at, isolation in enumerate(("wasm", "sidecar", "inprocess"), 1):
            host.deploy(meter(f"{at}", isolation), accept_breaking=True, progress=write)
            assert found() == expected
            host.rollback("acme.meter", progress=write)
            assert found() == expected
            host.rollback("acme.meter", progress=write)
            assert found() == expected


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
        ('"value_to_insert", "validate"', '"rows", "value_to_insert", "value_to_update", "validate"'),
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


SIDECARS_DEFAULT = {"memory_mib": 512, "deadline": 4, "start": 60, "open_files": 256}
MODULES_DEFAULT = {"memory_mib": 64, "deadline": 4}


@pytest.mark.parametrize(("name", "most"), [*SIDECARS_DEFAULT.items(), ("processes", 0)])
def test_an_unsigned_plugin_gives_itself_no_limit_beyond_the_default(untrusted, den, name, most):
    box = {**APART, "limits": {**SIDECARS_DEFAULT, name: most + 1}}
    with pytest.raises(DeployError) as raised:
        untrusted().deploy(den("1", box=box, silent=True, code="raise SystemExit('it was loaded')"))
    (found,) = raised.value.problems
    where = f"descriptor.json: Storages.den.Box.limits.{name}: expected at most {most}, got {most + 1}"
    assert found.startswith(f"{where}: nobody has signed the image")


@pytest.mark.parametrize(("name", "most"), MODULES_DEFAULT.items())
def test_an_unsigned_module_gives_itself_no_limit_beyond_the_default(untrusted, den, name, most):
    box = {"limits": {**MODULES_DEFAULT, name: most + 1}}
    with pytest.raises(DeployError) as raised:
        untrusted().deploy(den("1", box=box, silent=True, engine="WASM", module=b"\0asm\1\0\0\0"))
    (found,) = raised.value.problems
    assert f"Storages.den.Box.limits.{name}: expected at most {most}, got {most + 1}" in found


def test_an_unsigned_image_gives_its_extensions_no_limit_beyond_the_default(untrusted, den):
    limits = {"memory_mib": 17, "seconds": {"COMMANDS": 6, "QUERIES": 30}}
    extensions = {"den": {"limits": limits}}
    with pytest.raises(DeployError) as raised:
        untrusted().deploy(den("1", box=APART, silent=True, Extensions=extensions))
    where = "descriptor.json: Extensions.den.limits"
    memory, seconds = raised.value.problems
    assert memory.startswith(f"{where}.memory_mib: expected at most 16, got 17")
    assert seconds.startswith(f"{where}.seconds.COMMANDS: expected at most 5, got 6")


def test_an_unsigned_plugin_gives_itself_no_process_for_each_partition(untrusted, den):
    box = {**APART, "limits": {"partitions_per_process": 1}}
    with pytest.raises(DeployError, match="partitions_per_process: nobody has signed the image, and all 3"):
        untrusted().deploy(den("1", box=box, silent=True, NumParts=3))


@pytest.mark.parametrize(
    ("descriptor", "where"),
    [
        ({"NumParts": 101}, "descriptor.json: NumParts: expected at most 100, got 101"),
        (
            {"EnginePoolSize": [10, 11, 10, 1]},
            "descriptor.json: EnginePoolSize, for QUERIES: expected at most 10, got 11",
        ),
    ],
    ids=["partitions", "engines"],
)
def test_an_unsigned_image_gives_itself_no_more_of_the_host(untrusted, den, descriptor, where):
    with pytest.raises(DeployError) as raised:
        untrusted().deploy(den("1", box=APART, silent=True, **descriptor))
    (found,) = raised.value.problems
    assert found.startswith(f"{where}: nobody has signed the image")


def test_an_unsigned_plugin_may_have_what_is_the_default_and_less(untrusted, den):
    limits = {**SIDECARS_DEFAULT, "memory_mib": 64, "cpu_seconds": 60, "partitions_per_process": 1}
    assert untrusted().deploy(den("1", box={**APART, "limits": limits}, silent=True)).name == "1"


@pytest.mark.parametrize("built", ["plugin", "executable"])
def test_an_unsigned_plugin_is_not_loaded_where_a_part_of_the_sandbox_is_lacking(
    untrusted, den, monkeypatch, built
):
    # A machine whose system calls nobody knows has neither Landlock nor seccomp nor namespaces.
    unknown = "import os; real = os.uname(); os.uname = lambda: type(real)((*real[:4], 'riscv64'))"
    monkeypatch.setattr(_zygote, "_START", f"{unknown}\n{_zygote._START}")
    loaded = "raise SystemExit('it was loaded')"
    code = {"code": loaded} if built == "plugin" else {"executable": loaded, "engine": "GOPLUGIN"}
    host = untrusted(sandbox=Sandbox.AVAILABLE)
    with pytest.raises(DeployError) as raised:
        host.deploy(den("1", box=APART, silent=True, **code))
    (found,) = raised.value.problems
    assert "the sandbox is not complete" in found
    assert "riscv64" in found
    assert host.apps() == ()


def test_an_unsigned_plugin_that_is_placed_wrong_is_not_loaded_to_be_checked(untrusted, den, tmp_path):
    mark = tmp_path / "mark"
    image = den("1", box={"isolation": "wasm"}, code=f"open({str(mark)!r}, 'w')", silent=True)
    with pytest.raises(DeployError, match="Python does not run as wasm"):
        untrusted().deploy(image)
    assert not mark.exists()
