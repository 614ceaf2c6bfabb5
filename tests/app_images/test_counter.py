from __future__ import annotations

import logging
import re
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest

from statehold.extensions.wasm import WasmLimits
from statehold.extensions.wasm._module import load_module
from statehold.loading.wasm.machine import new_engine
from statehold.processing import SYSTEM, ProcessingError, Request
from statehold.sdk import Principal

SAMPLE = Path(__file__).parents[2] / "app_images" / "acme.counter"
MODULE = "image/pkg/acme.example/counter/wasm/counter.wasm"


@pytest.fixture(params=["as it comes", "compiled anew"])
def counter(request, tmp_path):
    """Return the sample: with the module that comes along, and with one that is compiled now."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "acme.counter"))
    if request.param == "compiled anew":
        if not shutil.which("clang") or not shutil.which("wasm-ld"):
            pytest.skip("compiling the sample takes clang and lld, which are not installed")
        (folder / MODULE).unlink()
        subprocess.run(["make", "-s", "-C", folder], check=True, timeout=120)
    return folder


@attrs.frozen(kw_only=True)
class Museum:
    """A workspace of acme.counter, and its doorkeeper."""

    runtime: object
    request: Request

    def count(self, gate, people, day=1):
        return self.runtime.command(
            self.request, "counter.Count", {"Gate": gate, "People": people, "Day": day}
        )

    def day(self, day=1):
        assert self.runtime.wait_for_projectors("acme.counter", timeout=60)
        rows = self.runtime.query(self.request, "counter.Day", {"Day": day})
        return [(row["Gate"], row["People"], row["Groups"], row["Largest"]) for row in rows]


@pytest.fixture
def museum(host, runtime, counter):
    host.deploy(counter)
    owner = Request(app="acme.counter", workspace=1, principal=SYSTEM)
    made = runtime.create_workspace(owner, "counter.MuseumWS", name="Prado")
    keeper = Principal(name="bo", kind=1, roles={made.workspace: frozenset({"counter.Doorkeeper"})})
    return Museum(
        runtime=runtime, request=Request(app="acme.counter", workspace=made.workspace, principal=keeper)
    )


def test_a_group_is_greeted_and_counted_at_its_gate(museum):
    assert museum.count("north", 1).result["Greeting"] == "Welcome"
    assert museum.count("north", 30).result["Greeting"] == "Welcome to you all"
    museum.count("north", 5)
    museum.count("south", 2)
    museum.count("north", 7, day=2)
    assert museum.day() == [("north", 36, 3, 30), ("south", 2, 1, 2)]
    assert museum.day(2) == [("north", 7, 1, 7)]
    assert museum.day(3) == []


@pytest.mark.parametrize("people", [-1, 501])
def test_a_group_that_cannot_be_is_refused_and_not_counted(museum, people):
    with pytest.raises(ProcessingError, match="a group has 1 to 500 people") as caught:
        museum.count("north", people)
    assert caught.value.status == 400
    assert museum.day() == []


def test_a_failure_has_the_message_that_the_code_gives(museum):
    with pytest.raises(ProcessingError, match=r"COMMAND counter\.Count failed: panic: nobody came"):
        museum.count("north", 0)
    assert museum.count("north", 1).result["Greeting"] == "Welcome"


def test_the_guard_looks_around(museum, caplog):
    with caplog.at_level(logging.INFO, "statehold"):
        museum.runtime.run_job("acme.counter", "counter.LookAround")
    assert "the guard has looked around" in {each.getMessage() for each in caplog.records}


def test_the_module_that_comes_along_is_of_the_source_that_comes_along(tmp_path):
    """Compilers differ in bytes, so it is the exports and imports that are compared."""
    if not shutil.which("clang") or not shutil.which("wasm-ld"):
        pytest.skip("compiling the sample takes clang and lld, which are not installed")
    import wasmtime

    folder = Path(shutil.copytree(SAMPLE, tmp_path / "acme.counter"))
    (folder / MODULE).unlink()
    subprocess.run(["make", "-s", "-C", folder], check=True, timeout=120)

    def interface(path):
        module = wasmtime.Module.from_file(wasmtime.Engine(), path)
        return {each.name for each in module.exports}, {each.name for each in module.imports}

    assert interface(folder / MODULE) == interface(SAMPLE / MODULE)


USES_ALL = """
#include "statehold.h"
SH_EXTENSION(All) {
    sh_key key = sh_key_of("a.B", "");
    sh_text text = sh_literal("x");
    sh_key_int(key, "F", 1), sh_key_float(key, "F", 1), sh_key_bool(key, "F", true);
    sh_key_text(key, "F", text), sh_key_qname(key, "F", text, text);
    sh_value value = sh_must_get(key), list = sh_inside(value, "F"), item = sh_element(list, 0);
    sh_intent intent = sh_update(key, item);
    sh_put_int(intent, "F", sh_int(value, "F") + sh_int_at(list, sh_length(list)));
    sh_put_float(intent, "F", sh_float(value, "F") + sh_float_at(list, 0));
    sh_put_bool(intent, "F", sh_bool(value, "F") && sh_bool_at(list, 0));
    sh_put_text(intent, "F", sh_text_of(value, "F")), sh_put_text(intent, "F", sh_text_at(list, 0));
    sh_put_bytes(intent, "F", sh_bytes_of(value, "F"));
    sh_put_qname(intent, "F", sh_package_of(value, "F"), sh_entity_of(value, "F"));
}
static void row(sh_row row, sh_value value) {
    sh_intent intent = sh_insert(sh_key_of("a.B", ""));
    sh_put_text(intent, "F", sh_row_text(row, "F"));
    sh_put_int(intent, "F", sh_row_int(row, "F"));
    sh_put_float(intent, "F", sh_row_float(row, "F"));
    sh_put_bool(intent, "F", sh_row_bool(row, "F") || sh_get(sh_key_of("a.B", ""), &value));
}
SH_EXTENSION(Rows) { sh_read(sh_key_of("a.B", ""), row); }
"""


def test_all_that_the_header_imports_is_as_the_host_has_it(counter, tmp_path):
    if not shutil.which("clang") or not shutil.which("wasm-ld"):
        pytest.skip("compiling the sample takes clang and lld, which are not installed")
    source = (counter / MODULE).with_suffix(".c")
    source.write_text(USES_ALL)
    subprocess.run(["make", "-s", "-C", counter], check=True, timeout=120)
    module, problems = load_module(new_engine(), MODULE, (counter / MODULE).read_bytes(), WasmLimits())
    assert problems == []
    header = (source.parent / "statehold.h").read_text()
    declared = set(re.findall(r"SH_IMPORT\((\w+)\)", header)) - {"name"}
    assert declared == {each.name for each in module.imports if each.module == "env"}
    assert module.extensions == {"All", "Rows"}
