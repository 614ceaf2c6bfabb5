from __future__ import annotations

import pytest
import wasmtime

from statehold.extensions.wasm import WasmLimits
from statehold.extensions.wasm._abi import EXPORTS, IMPORTS, READS, WRITES
from statehold.sdk import DeployError


def problems(stage, guest, **more):
    """Return what keeps a guest from being deployed."""
    with pytest.raises(DeployError) as caught:
        stage.load(guest, **more)
    return list(caught.value.problems)


def test_there_are_44_functions_for_guests():
    assert len(IMPORTS) == 44
    assert len(READS) + len(WRITES) == 18


def test_a_guest_that_fits_tells_the_names_of_its_extensions(stage, wat):
    assert stage.load(wat()).names == {"t.Do", "t.Ask", "t.See"}


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_each_export_of_the_abi_is_missed_by_name(stage, wat, name):
    guest = wat()
    guest.without.add(name)
    [problem] = problems(stage, guest)
    assert problem.startswith(f"image/pkg/acme.example/t/t.wasm: it does not export {name}.")


def test_all_that_is_missing_is_told_at_once(stage, wat):
    guest = wat()
    guest.without |= {"malloc", "free", "WasmGC"}
    [problem] = problems(stage, guest)
    assert "does not export malloc, free, WasmGC" in problem


def test_a_guest_without_memory_is_refused(stage, wat):
    guest = wat()
    guest.without.add("memory")
    [problem] = problems(stage, guest)
    assert "does not export memory" in problem


def test_an_export_of_the_abi_of_another_type_is_refused(stage, wat):
    guest = wat()
    guest.replace("free", '(func (export "free") (param i64))')
    [problem] = problems(stage, guest)
    assert "exports free as (i64) -> nothing, and it has to be (i32) -> nothing" in problem


def test_an_export_of_the_abi_that_is_no_function_is_refused(stage, wat):
    guest = wat()
    guest.replace("WasmGC", '(global (export "WasmGC") i32 (i32.const 0))')
    [problem] = problems(stage, guest)
    assert "exports WasmGC as a global" in problem


def test_another_version_of_the_abi_is_refused_by_name(stage, wat):
    guest = wat()
    guest.replace("WasmAbiVersion_0_0_1", '(func (export "WasmAbiVersion_0_0_2"))')
    [problem] = problems(stage, guest)
    assert "made for WasmAbiVersion_0_0_2, and this host has WasmAbiVersion_0_0_1" in problem


@pytest.mark.parametrize(
    "line",
    [
        '(import "env" "hostPanic" (func (param i32 i32)))',
        '(import "env" "base" (global i32))',
        '(import "wasi_snapshot_preview1" "fd_fly" (func))',
        '(import "wasi_unstable" "fd_write" (func))',
        '(import "host" "hostGetKey" (func))',
    ],
)
def test_an_import_that_no_host_gives_is_refused_by_name(stage, wat, line):
    problem = problems(stage, _with(wat(), line))[0]
    module, name = line.split('"')[1], line.split('"')[3]
    assert f"imports {module}.{name}, which no host gives a guest" in problem


def test_an_import_of_another_type_is_refused(stage, wat):
    guest = _with(wat(), '(import "env" "hostGetValue" (func (param i32) (result i64)))')
    problem = problems(stage, guest)[0]
    assert "imports env.hostGetValue as (i32) -> i64, and it is (i64) -> i64" in problem


def _with(guest, line):
    for name in ("Do", "Ask", "See"):
        guest.add(name, "", variables="")
    return guest.source().replace("(module ", f"(module {line} ", 1)


def test_an_extension_without_an_export_is_told_where_it_is_declared(stage, wat):
    guest = wat()
    guest.without.add("Ask")
    [problem] = problems(stage, guest)
    assert problem.startswith("t.vsql:")
    assert "QUERY t.Ask" in problem


def test_an_export_without_a_declaration_is_told_with_its_module(stage, wat):
    guest = wat()
    guest.add("Dont", "")
    [problem] = problems(stage, guest)
    assert problem.startswith("image/pkg/acme.example/t/t.wasm: the code has an export for t.Dont")


@pytest.mark.parametrize("name", ["calloc", "realloc", "alloc", "WasmSomething", "_start"])
def test_reserved_names_are_no_extensions(stage, wat, name):
    guest = wat()
    guest.add(name, "", variables="")
    assert stage.load(guest).names == {"t.Do", "t.Ask", "t.See"}


def test_an_export_that_takes_something_is_no_extension(stage, wat):
    guest = wat()
    guest.parts.append('(func (export "helper") (param i32) (result i32) (local.get 0))')
    assert "t.helper" not in stage.load(guest).names


def test_a_broken_module_is_refused(stage, wat):
    data = bytes(wasmtime.wat2wasm(wat().source()))
    [problem] = problems(stage, data[:-5])
    assert "t.wasm: it cannot be compiled" in problem


def test_a_module_that_needs_too_much_memory_from_the_start_is_refused(stage, wat):
    guest = wat()
    guest.pages = 20
    [problem] = problems(stage, guest, limits=WasmLimits(pages=10))
    assert "needs 20 pages of memory from the start, and 10 is the limit" in problem


def test_a_module_with_shared_or_64_bit_memory_is_refused(stage, wat):
    guest = wat()
    guest.replace("memory", '(memory (export "memory") i64 2)')
    guest.without.add("memory")
    source = guest.source().replace("(module ", '(module (memory (export "memory") i64 2) ', 1)
    assert "cannot be compiled" in problems(stage, source)[0]


@pytest.mark.parametrize("start", ["_start", "_initialize"])
def test_a_guest_is_started_before_its_first_call(stage, wat, start):
    guest = wat()
    guest.parts.append("(global $started (mut i64) (i64.const 0))")
    guest.add(start, "(global.set $started (i64.const 5))", variables="")
    guest.add("Do", guest.key("t.Things") + _put_started())
    [(_, intent)] = stage.run(stage.load(guest)).intents()
    assert intent.key.Id == 5


def test_the_start_of_a_program_may_end_with_exit_code_0(stage, wat):
    guest = wat()
    guest.add("_start", "(call $proc_exit (i32.const 0))", variables="")
    stage.run(stage.load(guest))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("(call $proc_exit (i32.const 3))", "ended itself with exit code 3"),
        ("(unreachable)", "unreachable"),
        ("(loop $again (br $again))", "computed for more than 0.05 s"),
        ("(drop (call $hostGetKey (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)))", "no extension"),
        ("(drop (call $hostGetValue (i64.const 0)))", "gave 0 for a key builder"),
    ],
)
def test_a_guest_that_does_not_start_is_refused_and_says_why(stage, wat, body, why):
    guest = wat()
    guest.add("_start", body, variables="")
    [problem] = problems(stage, guest, limits=WasmLimits(start_seconds=0.05))
    assert "t.wasm: it does not start: " in problem
    assert why in problem


@pytest.mark.parametrize(
    "body", ["(loop $again (br $again))", "(unreachable)", "(call $hostReadValues (i64.const 0))"]
)
def test_a_start_section_that_does_harm_is_refused(stage, wat, body):
    guest = wat()
    guest.parts.append(f"(func $begin {body}) (start $begin)")
    [problem] = problems(stage, guest, limits=WasmLimits(start_seconds=0.05))
    assert "it does not start" in problem


def _put_started():
    return (
        "(call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (global.get $started))"
        "(drop (call $hostNewValue (local.get $k)))"
    )


def test_the_same_module_is_compiled_once(stage, wat, monkeypatch):
    compiled = []
    module = wasmtime.Module
    monkeypatch.setattr(wasmtime, "Module", _watched(module, compiled))
    guest = wat()
    guest.add("Do", "(drop (i32.const 4711))")
    stage.load(guest)
    stage.load(guest)
    assert len(compiled) == 1


def _watched(module, compiled):
    class Watched(module):
        def __init__(self, *args):
            compiled.append(args)
            super().__init__(*args)

    return Watched


def test_a_module_that_is_too_large_is_refused_before_it_is_compiled(stage, wat):
    [problem] = problems(stage, wat(), limits=WasmLimits(module_bytes=100))
    assert "bytes, and 100 is the limit" in problem
