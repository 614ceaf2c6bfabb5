from __future__ import annotations

import logging

import pytest
from wasm_modules import packed

from statehold.loading.wasm import Reason, WasmError
from statehold.testing import FakeClock

LOG = '(import "statehold" "log" (func $log (param i32 i32 i32)))'
CLOCK = '(import "statehold" "clock" (func $clock (param i32) (result i64)))'
RANDOM = '(import "statehold" "random" (func $random (param i32 i32)))'
HELLO = '(data (i32.const 2048) "hello\\ff")'
SAY = "(call $log (i32.const {level}) (i32.const 2048) (i32.const 5))"


def get(one):
    return one.facade.get(one.key(1, Id=1))


@pytest.mark.parametrize(
    ("level", "name"), [(0, "ERROR"), (1, "ERROR"), (2, "WARNING"), (3, "INFO"), (4, "DEBUG"), (9, "DEBUG")]
)
def test_what_a_module_logs_has_its_level(opened, caplog, level, name):
    caplog.set_level(logging.DEBUG)
    one = opened({"statehold_get": SAY.format(level=level) + packed([1, "a"])}, imports=LOG, more=HELLO)
    get(one)
    assert [record.levelname for record in caplog.records if record.getMessage() == "hello"] == [name]


def test_what_is_no_text_is_logged_as_well_as_it_can_be(opened, caplog):
    say = "(call $log (i32.const 2) (i32.const 2048) (i32.const 6))"
    get(opened({"statehold_get": say + packed([1, "a"])}, imports=LOG, more=HELLO))
    assert "hello\N{REPLACEMENT CHARACTER}" in caplog.text


def test_a_module_logs_one_line_of_text_whatever_is_in_it(opened, caplog):
    forged = r'(data (i32.const 2048) "a\nb\1b[")'
    say = SAY.format(level=2)
    get(opened({"statehold_get": say + packed([1, "a"])}, imports=LOG, more=forged))
    assert [record.getMessage() for record in caplog.records] == [r"a\nb\x1b["]


def test_a_flood_is_cut_off_and_counted(opened, caplog):
    flood = """(local $n i32) (loop $again
      (call $log (i32.const 2) (i32.const 2048) (i32.const 5))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 250))))"""
    get(opened({"statehold_get": flood + packed([1, "a"])}, imports=LOG, more=HELLO, deadline=4))
    assert caplog.text.count("hello") == 100
    assert "150 more lines of that call were dropped" in caplog.text


def test_the_last_line_before_a_trap_stands_in_the_error(opened):
    one = opened({"statehold_get": SAY.format(level=1) + "unreachable"}, imports=LOG, more=HELLO)
    with pytest.raises(WasmError, match="after it had logged 'hello'; it is replaced"):
        get(one)


@pytest.mark.parametrize("clock", [0, 1])
def test_there_are_two_clocks(opened, clock):
    code = f"(i64.store (i32.const 4200) (call $clock (i32.const {clock})))" + packed([1, "a"])
    one = opened({"statehold_get": code}, imports=CLOCK, context={"clock": FakeClock(2000.5)})
    get(one)
    found = int.from_bytes(one.storage._instance.imports.memory.read(4200, 8), "little")
    assert found == 2_000_500_000_000 if clock == 0 else found > 0


def test_randomness_fills_what_it_is_to_fill_and_no_more(opened):
    code = "(call $random (i32.const 4200) (i32.const 32))" + packed([1, "a"])
    one = opened({"statehold_get": code}, imports=RANDOM)
    get(one)
    memory = one.storage._instance.imports.memory
    first = memory.read(4200, 32)
    assert first != bytes(32)
    assert memory.read(4232, 32) == bytes(32)
    get(one)
    assert memory.read(4200, 32) != first


@pytest.mark.parametrize(
    ("code", "reason", "problem"),
    [
        (
            "(call $log (i32.const 1) (i32.const -1) (i32.const 9))",
            Reason.WILD,
            "named 9 bytes at address 4294",
        ),
        ("(call $log (i32.const 1) (i32.const 0) (i32.const -1))", Reason.WILD, "its memory ends at 131072"),
        ("(call $random (i32.const 131071) (i32.const 2))", Reason.WILD, "its memory ends at 131072"),
        ("(call $random (i32.const 0) (i32.const 65537))", Reason.TRAPPED, "asked for 65537 random bytes"),
        (
            "(drop (call $clock (i32.const 2)))",
            Reason.TRAPPED,
            "asked for the clock 2, and there are 0 and 1",
        ),
    ],
)
def test_what_no_import_does_ends_the_call_and_replaces_the_instance(opened, code, reason, problem):
    one = opened({"statehold_get": code + packed([1, "a"])}, imports=LOG + CLOCK + RANDOM)
    with pytest.raises(WasmError) as caught:
        get(one)
    assert caught.value.reason is reason
    assert problem in str(caught.value)
    assert next(one.facade.read(one.prefix(1)))[1].Count == 7
