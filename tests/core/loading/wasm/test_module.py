from __future__ import annotations

import pytest
import wasmtime
from wasm_modules import DESCRIPTION, module, section

from statehold.loading.wasm import load_wasm
from statehold.sdk import PluginError

STORAGE = DESCRIPTION["storages"][0]


def refused(load, *given, **rest):
    with pytest.raises(PluginError) as caught:
        load(*given, **rest)
    return str(caught.value)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("wasi_snapshot_preview1", "fd_write"),
        ("env", "memory_read"),
        ("statehold", "open"),
        ("host", "log"),
    ],
)
def test_an_import_that_is_no_storage_s_is_refused(load, place, name):
    text = refused(load, imports=f'(import "{place}" "{name}" (func (param i32)))')
    assert f"it imports {place}.{name}, which no host gives a storage: it may import statehold.log, " in text


@pytest.mark.parametrize(
    ("import_", "what"),
    [
        (
            '(import "statehold" "log" (func (param i32)))',
            "log as (i32) -> nothing, and it is (i32, i32, i32)",
        ),
        ('(import "statehold" "clock" (global i32))', "clock as a global, and it is (i32) -> i64"),
        ('(import "statehold" "random" (table 1 funcref))', "random as a table, and it is (i32, i32)"),
    ],
)
def test_an_import_of_another_type_is_refused(load, import_, what):
    assert what in refused(load, imports=import_)


@pytest.mark.parametrize("name", ["statehold_abi", "statehold_alloc", "statehold_free", "statehold_open"])
def test_what_every_module_has_to_export_is_told(load, name):
    assert f"it does not export {name}" in refused(load, {name: None})


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("statehold_get", "GET"),
        ("statehold_get_batch", "GETBATCH"),
        ("statehold_read", "READ"),
        ("statehold_next", "READ"),
        ("statehold_end", "READ"),
        ("statehold_apply", "INSERT"),
    ],
)
def test_an_operation_without_its_export_is_told(load, name, operation):
    assert f"storage Thing has {operation}, and it does not export {name}" in refused(load, {name: None})


def test_an_export_without_its_operation_is_told(load):
    described = {**DESCRIPTION, "storages": [{**STORAGE, "operations": ["GET", "INSERT"]}]}
    text = refused(load, description=described)
    assert "it exports statehold_get_batch, and no storage that it describes has GETBATCH" in text
    assert "it exports statehold_read, statehold_next, statehold_end" in text


def test_an_export_of_another_type_is_told(load):
    wrong = '(func (export "statehold_read") (param i64) (result i32) i32.const 0)'
    text = refused(load, {"statehold_read": None}, more=wrong)
    assert "it exports statehold_read as (i64) -> i32, and it has to be (i32, i32) -> i64" in text


def test_an_export_that_nobody_calls_is_told(load):
    text = refused(load, more='(func (export "statehold_prob"))')
    assert "it exports statehold_prob, which no host calls (did you mean statehold_probe?)" in text


def test_a_module_without_memory_is_told(tmp_path):
    path = tmp_path / "none.wasm"
    path.write_bytes(bytes(wasmtime.wat2wasm("(module)")) + section(DESCRIPTION))
    with pytest.raises(PluginError, match="it does not export its memory as 'memory'"):
        load_wasm(path, owner="acme.app 1")


@pytest.mark.parametrize(
    "code",
    [
        "(memory $more 1)",
        "(func (result i32) (memory.atomic.notify (i32.const 0) (i32.const 0)))",
        "(tag $oops)",
    ],
)
def test_webassembly_that_a_storage_has_no_use_for_is_not_compiled(load, code):
    assert "cannot be compiled" in refused(load, more=code)


def test_a_module_that_is_damaged_is_not_compiled(tmp_path):
    path = tmp_path / "things.wasm"
    path.write_bytes(module()[:400] + section(DESCRIPTION))
    with pytest.raises(PluginError, match=r"the module .*things\.wasm of acme\.app 1"):
        load_wasm(path, owner="acme.app 1")


def test_a_module_that_is_another_one_is_not_loaded(tmp_path):
    path = tmp_path / "things.wasm"
    path.write_bytes(module())
    with pytest.raises(PluginError, match="is not the one expected: its SHA-256 is"):
        load_wasm(path, owner="acme.app 1", sha256="0" * 64)


def test_a_module_that_is_not_there_is_told(tmp_path):
    with pytest.raises(PluginError, match="cannot be opened: No such file"):
        load_wasm(tmp_path / "none.wasm", owner="acme.app 1")


def test_all_that_is_wrong_is_told_at_once(load):
    text = refused(
        load,
        {"statehold_open": None, "statehold_get": None},
        imports='(import "env" "exit" (func (param i32)))',
    )
    assert text.count(";") == 2
