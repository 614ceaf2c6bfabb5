from __future__ import annotations

import contextlib
import random
import threading

import pytest

from statehold.extensions import CodeError
from statehold.extensions.wasm import WasmLimits
from statehold.extensions.wasm._abi import IMPORTS
from statehold.extensions.wasm._wasi import FUNCTIONS
from statehold.sdk import Scope, StateholdError
from statehold.state import IntentLimitError

GET = "(local.set $v (call $hostGetValue (local.get $k)))"
SHORT = WasmLimits(seconds=dict.fromkeys(Scope, 0.05))
HUGE = "(i32.const -1)"
_WRITES_FROM_AFAR = """(i64.store (i32.const 60000) (i64.const 0x9ffffffff))
    (drop (call $fd_write (i32.const 1) (i32.const 60000) (i32.const 1) (i32.const 60008)))"""
_LOOKS_AT_THE_CLOCK = """(loop $again
    (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0))) (br $again))"""


def refuses(stage, body, match, guest, *, limits=None):
    """Run a command that does harm, expect its error, and see that the engine works on."""
    guest.add("Do", body)
    engine = stage.load(guest, limits=limits)
    with pytest.raises(CodeError, match=match) as caught:
        stage.run(engine)
    assert caught.value.extension == "t.Do"
    stage.run(engine, "t.Ask")
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        f"(drop (call $hostGetKey {HUGE} (i32.const 5) (i32.const 0) (i32.const 0)))",
        f"(drop (call $hostGetKey (i32.const 0) {HUGE} (i32.const 0) (i32.const 0)))",
        f"(drop (call $hostGetKey (i32.const 0) (i32.const 0) {HUGE} {HUGE}))",
        "(drop (call $hostGetKey (i32.const 131071) (i32.const 2) (i32.const 0) (i32.const 0)))",
        f"KEY (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {HUGE} (i32.const 1) (i64.const 1))",
        f"KEY (call $hostRowWriterPutString (local.get $k) (i32.const 0) {{Part}} (i32.const 9) {HUGE})",
        f"KEY (call $hostRowWriterPutBytes (local.get $k) (i32.const 0) {{Part}} {HUGE} (i32.const 9))",
        f"KEY (call $hostRowWriterPutQName (local.get $k) (i32.const 0) {{Part}} {HUGE} (i32.const 9) {{a}})",
        f"KEY GET (drop (call $hostValueAsInt64 (local.get $v) {HUGE} (i32.const 4)))",
        f"KEY GET (drop (call $hostValueAsString (local.get $v) (i32.const 4) {HUGE}))",
        f"KEY GET (drop (call $hostValueAsValue (local.get $v) {HUGE} {HUGE}))",
        f"(drop (call $fd_write (i32.const 1) {HUGE} (i32.const 1) (i32.const 0)))",
        _WRITES_FROM_AFAR,
        f"(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) {HUGE}))",
        f"(drop (call $random_get {HUGE} (i32.const 100)))",
        f"(drop (call $random_get (i32.const 0) {HUGE}))",
        f"(drop (call $clock_time_get (i32.const 0) (i64.const 0) {HUGE}))",
        f"(drop (call $environ_sizes_get {HUGE} (i32.const 0)))",
    ],
)
def test_no_pointer_and_no_length_leads_out_of_the_guest_s_memory(stage, wat, body):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    guest = wat()
    body = body.replace("KEY", guest.key("t.Things", Id=1)).replace("GET", GET)
    refuses(stage, body, "its memory ends at 131072", guest)


_HANDLES = {
    "hostGetValue": "",
    "hostQueryValue": "",
    "hostReadValues": "",
    "hostNewValue": "",
    "hostValueLength": "",
    "hostKeyAsInt64": "{a}",
    "hostKeyAsString": "{a}",
    "hostValueAsInt64": "{a}",
    "hostValueAsString": "{a}",
    "hostValueAsValue": "{a}",
    "hostValueGetAsInt64": "(i32.const 0)",
    "hostValueGetAsValue": "(i32.const 0)",
    "hostRowWriterPutInt64": "(i32.const 0) {a} (i64.const 0)",
    "hostRowWriterPutString": "(i32.const 1) {a} {b}",
    "hostRowWriterPutBool": "(i32.const 2) {a} (i32.const 0)",
}


@pytest.mark.parametrize("handle", [0, 1, -1, -(2**63), 2**62])
@pytest.mark.parametrize("name", sorted(_HANDLES))
def test_no_handle_that_was_not_given_is_taken(stage, wat, name, handle):
    call = f"(call ${name} (i64.const {handle}) {_HANDLES[name]})"
    body = call if name == "hostReadValues" or "Put" in name else f"(drop {call})"
    refuses(stage, body, "it gave [0-9]+ for a (key builder|key|value|intent), and has 0 of them", wat())


def test_an_update_of_a_value_that_was_not_given_is_refused(stage, wat):
    guest = wat()
    body = guest.key("t.Things", Id=1) + "(drop (call $hostUpdateValue (local.get $k) (i64.const 0)))"
    refuses(stage, body, "gave 0 for a value", guest)


def test_handles_of_one_call_mean_nothing_in_the_next(stage, wat):
    guest = wat()
    guest.add("Ask", "(drop (call $hostNewValue (i64.const 0)))", variables="")
    guest.add("Do", guest.key("t.Things", Id=1))
    engine = stage.load(guest)
    stage.run(engine)
    with pytest.raises(CodeError, match="gave 0 for a key builder"):
        stage.run(engine, "t.Ask")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("(loop $again (br $again))", "computed for more than 0.05 s"),
        (_LOOKS_AT_THE_CLOCK, "computed for more than 0.05 s"),
        ("(call $endless_function)", "called itself too deeply"),
        ("(unreachable)", "unreachable"),
        ("(i32.store (i32.const -4) (i32.const 1))", "out of bounds memory access"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "integer divide by zero"),
        ("(call $proc_exit (i32.const 0))", "ended itself with exit code 0"),
    ],
)
def test_a_guest_that_does_not_return_is_stopped(stage, wat, body, why):
    guest = wat()
    guest.parts.append("(func $endless_function (call $endless_function))")
    refuses(stage, body, why, guest, limits=SHORT)


def test_a_guest_that_reads_and_computes_without_end_is_stopped(stage, wat):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    guest = wat()
    guest.replace(
        "WasmOnReadValue", '(func (export "WasmOnReadValue") (param i64 i64) (loop $again (br $again)))'
    )
    body = guest.key("t.Things", Id=1) + "(call $hostReadValues (local.get $k))"
    refuses(stage, body, "computed for more than 0.05 s", guest, limits=SHORT)
    assert stage.memory["t.Things"].closed == 1


SOME_WORK = """(func $some_work (local $n i32) (loop $again
    (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000)))))"""


def longer_than_a_call_may_compute(engine):
    """Wait, by the clock that the time of calls is told by."""
    until = engine._time.ticks + 20
    while engine._time.ticks < until:
        threading.Event().wait(0.01)


def test_the_time_that_storages_take_is_not_the_guest_s(stage, wat):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    guest = wat()
    guest.add("Do", guest.key("t.Things", Id=1) + GET + "(call $some_work)")
    guest.parts.append(SOME_WORK)
    engine = stage.load(guest, limits=SHORT)
    stage.memory["t.Things"].slow = lambda: longer_than_a_call_may_compute(engine)
    stage.run(engine)


def test_the_time_that_those_take_who_get_the_results_is_not_the_guest_s(stage, wat):
    guest = wat()
    result = guest.key("sys.Result") + "(drop (call $hostNewValue (local.get $k)))"
    guest.add("Ask", result + result + "(call $some_work)")
    guest.parts.append(SOME_WORK)
    engine = stage.load(guest, limits=SHORT)
    stage.memory["sys.Result"].slow = lambda: longer_than_a_call_may_compute(engine)
    stage.run(engine, "t.Ask")


def test_memory_does_not_grow_over_its_limit(stage, wat):
    guest = wat()
    body = (
        guest.key("t.Things")
        + """
        (drop (memory.grow (i32.const 100)))
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id}
          (i64.extend_i32_s (memory.grow (i32.const 65000))))
        (drop (call $hostNewValue (local.get $k)))"""
    )
    [(_, intent)] = stage.does(body, guest)
    assert intent.key.Id == -1


def test_memory_that_has_grown_is_read_and_written(stage, wat):
    guest = wat()
    body = (
        guest.key("t.Things", Id=1)
        + """
        (drop (memory.grow (i32.const 4)))
        (i32.store8 (i32.const 300000) (i32.const 65))
        (call $hostRowWriterPutString (local.get $k) (i32.const 0) {Part} (i32.const 300000) (i32.const 1))
        (drop (call $hostNewValue (local.get $k)))"""
    )
    [(_, intent)] = stage.does(body, guest)
    assert intent.key.Part == "A"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("(i32.const 0)", "malloc has no 64000 bytes"),
        ("(i32.const -1)", "64000 bytes at address 4294967295"),
        ("(i32.const 100000)", "64000 bytes at address 100000"),
        ("(unreachable)", "unreachable"),
        ("(loop $again (br $again)) (i32.const 0)", "computed for more than 0.05 s"),
        (
            "(drop (call $hostValueAsString (i64.const 0) (i32.const 0) (i32.const 0))) (i32.const 0)",
            "asks the host",
        ),
    ],
)
def test_a_malloc_that_lies_is_not_believed(stage, wat, code, why):
    stage.put("t.Things", None, {"Id": 1}, Text="x", Number=5)
    guest = wat()
    guest.replace("malloc", f'(func (export "malloc") (param i32) (result i32) {code})')
    # The name is no field of the value but the start of the memory: its first byte is made one.
    field = f"(drop (call $hostValueAsString (local.get $v) {guest.text('Text')}))"
    if "hostValueAsString" in code:
        text = guest.text("Text")
        guest.replace(
            "malloc",
            f"""(func (export "malloc") (param i32) (result i32)
            (drop (call $hostValueAsString (i64.const 0) {text})) (i32.const 0))""",
        )
    refuses(stage, guest.key("t.Things", Id=1) + GET + field, why, guest, limits=SHORT)


def test_what_is_printed_without_end_is_cut(stage, wat):
    guest = wat()
    printing = """
        (i32.store (i32.const 60000) (i32.const 0)) (i32.store (i32.const 60004) (i32.const 100000))
        (loop $again
          (drop (call $fd_write (i32.const 1) (i32.const 60000) (i32.const 1) (i32.const 60008)))
          (br $again))"""
    guest.add("Do", printing)
    engine = stage.load(guest, limits=SHORT)
    with pytest.raises(CodeError, match="computed for more"):
        stage.run(engine)


def test_a_write_of_very_many_pieces_is_refused_without_looking_at_them(stage, wat):
    guest = wat()
    body = (
        guest.key("t.Things")
        + """
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id}
          (i64.extend_i32_u (call $fd_write (i32.const 1) (i32.const 0) (i32.const 16000) (i32.const 0))))
        (drop (call $hostNewValue (local.get $k)))"""
    )
    [(_, intent)] = stage.does(body, guest)
    assert intent.key.Id == 28


def test_handles_are_limited(stage, wat):
    guest = wat()
    body = f"(loop $again {guest.key('t.Things', Id=1)} (br $again))"
    refuses(stage, body, "more than 1000 key builders in one call", guest, limits=WasmLimits(keys=1000))


def test_values_are_limited(stage, wat):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    guest = wat()
    body = f"{guest.key('t.Things', Id=1)} (loop $again {GET} (br $again))"
    refuses(stage, body, "more than 1000 GETs in one call", guest, limits=WasmLimits(values=1000))


def test_gets_that_find_nothing_are_limited_though_their_time_is_not_the_guest_s(stage, wat):
    guest = wat()
    body = f"""{guest.key("t.Things", Id=1)}
        (loop $again (drop (call $hostQueryValue (local.get $k))) (br $again))"""
    refuses(stage, body, "more than 1000 GETs in one call", guest, limits=WasmLimits(values=1000))


def test_values_inside_of_values_are_limited(stage, wat):
    guest = wat()
    body = f"""{guest.key("sys.CommandContext")} {GET}
        (loop $again (drop (call $hostValueAsValue (local.get $v) {{ArgumentObject}})) (br $again))"""
    stage.put("sys.CommandContext", None, {}, ArgumentObject={"Id": 1})
    refuses(stage, body, "more than 1000 values in one call", guest, limits=WasmLimits(values=1000))


def test_a_malloc_that_gives_the_same_memory_again_and_again_is_stopped(stage, wat):
    """Otherwise the host's list of what it was given would grow without end."""
    stage.put("t.Things", None, {"Id": 1}, Text="x" * 65_000)
    guest = wat()
    guest.pages = 4
    guest.replace("malloc", '(func (export "malloc") (param i32) (result i32) (i32.const 65536))')
    body = f"""{guest.key("t.Things", Id=1)} {GET}
        (loop $again (drop (call $hostValueAsString (local.get $v) {{Text}})) (br $again))"""
    refuses(stage, body, "its malloc has given 325000 bytes to the host", guest)


def test_texts_that_are_put_are_limited_together(stage, wat):
    guest = wat()
    put = "(call $hostRowWriterPutString (local.get $k) (i32.const 0) {Part} (i32.const 0) (i32.const 65536))"
    body = f"{guest.key('t.Things', Id=1)} (loop $again {put} (br $again))"
    refuses(stage, body, "more than 1000000 bytes", guest, limits=WasmLimits(copied_bytes=1_000_000))


def test_a_field_with_many_values_takes_no_more_than_a_thousand(stage, wat):
    guest = wat()
    put = "(call $hostRowWriterPutString (local.get $k) (i32.const 0) {Tag} {a})"
    refuses(
        stage,
        f"{guest.key('sys.Logger')} (loop $again {put} (br $again))",
        "Tag .* more than 1000 times",
        guest,
    )


def test_intents_are_limited_by_the_state(stage, wat):
    guest = wat()
    guest.add(
        "Do",
        f"{guest.key('t.Things', Id=1)} (loop $again (drop (call $hostNewValue (local.get $k))) (br $again))",
    )
    engine = stage.load(guest)
    with pytest.raises(IntentLimitError, match="more than 10 intents"):
        stage.run(engine, limit=10)


def test_reads_inside_of_reads_are_limited(stage, wat):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    guest = wat()
    inner = guest.key("t.Things") + "(call $hostReadValues (local.get $k))"
    guest.replace(
        "WasmOnReadValue", f'(func (export "WasmOnReadValue") (param i64 i64) (local $k i64) {inner})'
    )
    refuses(stage, inner, "inside of reads, more than 8 deep", guest)
    assert stage.memory["t.Things"].closed == 8


def test_a_text_that_is_not_utf_8_is_refused(stage, wat):
    guest = wat()
    put = "(call $hostRowWriterPutString (local.get $k) (i32.const 0) {Part} "
    put += guest.text(bytes([255, 254])) + ")"
    refuses(stage, guest.key("t.Things", Id=1) + put, "not UTF-8", guest)


def test_there_are_no_files_no_environment_and_no_arguments(stage, wat):
    guest = wat()
    body = (
        guest.key("t.Things")
        + """
        (drop (call $environ_sizes_get (i32.const 60064) (i32.const 60068)))
        (drop (call $args_sizes_get (i32.const 60072) (i32.const 60076)))
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (i64.extend_i32_u (i32.or
          (i32.or (i32.load (i32.const 60064)) (i32.load (i32.const 60068)))
          (i32.or (i32.load (i32.const 60072)) (i32.load (i32.const 60076))))))
        (drop (call $hostNewValue (local.get $k)))
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (i64.extend_i32_u
          (call $path_open (i32.const 3) (i32.const 0) {/etc/passwd} (i32.const 0) (i64.const 0) (i64.const 0)
            (i32.const 0) (i32.const 60064))))
        (drop (call $hostNewValue (local.get $k)))
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (i64.extend_i32_u
          (call $fd_prestat_get (i32.const 3) (i32.const 60064))))
        (drop (call $hostNewValue (local.get $k)))
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (i64.extend_i32_u
          (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 60064))))
        (drop (call $hostNewValue (local.get $k)))"""
    )
    assert [intent.key.Id for _, intent in stage.does(body, guest)] == [0, 8, 8, 8]


def test_a_guest_has_a_clock_and_randomness(stage, wat):
    guest = wat()
    body = (
        guest.key("t.Things")
        + """
        (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 60064)))
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (i64.load (i32.const 60064)))
        (drop (call $hostNewValue (local.get $k)))
        (drop (call $random_get (i32.const 60064) (i32.const 8)))
        (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (i64.load (i32.const 60064)))
        (drop (call $hostNewValue (local.get $k)))"""
    )
    clock, random = (intent.key.Id for _, intent in stage.does(body, guest))
    assert clock > 1_600_000_000 * 10**9
    assert random not in (0, clock)


@pytest.mark.parametrize(
    "body",
    [
        "(drop (call $hostGetKey (i32.const 0) (i32.const 1025) (i32.const 0) (i32.const 0)))",
        "(drop (call $hostGetKey (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1025)))",
        "KEY (call $hostRowWriterPutString (local.get $k) (i32.const 0) (i32.const 0) (i32.const 1025) {})",
        "KEY GET (drop (call $hostValueAsInt64 (local.get $v) (i32.const 0) (i32.const 1025)))",
        "KEY GET (drop (call $hostValueAsValue (local.get $v) (i32.const 0) (i32.const 1025)))",
    ],
)
def test_no_name_is_longer_than_names_are(stage, wat, body):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    guest = wat()
    body = body.replace("KEY", guest.key("t.Things", Id=1)).replace("GET", GET)
    refuses(stage, body, "a name of 1025 bytes, and 1024 are the most", guest)


_INTERESTING = (0, 1, 2, 4, 16, 255, 1024, 65535, 65536, 131071, 131072, 2**31 - 1, -(2**31), -1)
_CONSTANTS = {
    "i32": _INTERESTING,
    "i64": (*_INTERESTING, 2**63 - 1, -(2**63)),
    "f32": (0, -1.5),
    "f64": (0, 1e300),
}


@pytest.mark.parametrize("seed", range(6))
def test_functions_of_the_host_in_any_order_with_anything_harm_nothing(stage, wat, seed):
    """Each guest calls 12 functions, half with handles and names that there are, half with anything."""
    rng = random.Random(seed)
    stage.put("t.Things", None, {"Id": 1}, Text="x", Number=5)
    guest = wat()
    words = [guest.text(word) for word in ("t.Things", "sys.View", "Id", "Text", "Number", "", "WSID")]
    functions = [("env", name, kind) for name, kind in IMPORTS.items()]
    functions += [("wasi", name, (kind, "i")) for name, kind in FUNCTIONS.items() if name != "proc_exit"]
    for number in range(20):
        body = guest.key("t.Things", Id=1) + "(drop (call $hostQueryValue (local.get $k)))"
        for _ in range(12):
            _, name, (parameters, result) = rng.choice(functions)
            call = f"(call ${name} {_arguments(rng, parameters, words)})"
            body += f"(drop {call})" if result else call
        guest.parts.append(f"(func $f{number} (local $k i64) {body})")
    for number in range(20):
        run = wat()
        run.data, run.parts = guest.data, guest.parts[number : number + 1]
        run.add("Do", f"(call $f{number})")
        engine = stage.load(run, limits=SHORT)
        with contextlib.suppress(StateholdError):
            stage.run(engine)
        stage.run(engine, "t.Ask")


def _arguments(rng, parameters, words):
    """Return operands for a function; where two numbers in a row may be a text, often one that there is."""
    operands = []
    while parameters:
        if parameters.startswith("pp") and rng.random() < 0.7:
            operands.append(rng.choice(words))
            parameters = parameters[2:]
            continue
        kind = {"h": "i64", "l": "i64", "p": "i32", "i": "i32", "f": "f32", "d": "f64"}[parameters[0]]
        value = 0 if parameters[0] == "h" and rng.random() < 0.7 else rng.choice(_CONSTANTS[kind])
        operands.append(f"({kind}.const {value})")
        parameters = parameters[1:]
    return " ".join(operands)
