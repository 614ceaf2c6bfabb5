from __future__ import annotations

import gc
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from statehold.extensions import CodeError, NoEngineError
from statehold.extensions.wasm import WasmLimits, open_wasm
from statehold.sdk import DeployError, Scope, StorageError

COUNTER = """
    (global.set $count (i64.add (global.get $count) (i64.const 1)))
    (call $hostRowWriterPutInt64 (local.get $k) (i32.const 0) {Id} (global.get $count))
    (drop (call $hostNewValue (local.get $k)))"""


@pytest.fixture
def counting(wat):
    """Return a guest whose command puts how often its instance has been called, then runs *more*."""

    def counting(more=""):
        guest = wat()
        guest.parts.append("(global $count (mut i64) (i64.const 0))")
        guest.add("Do", guest.key("t.Things") + COUNTER + more)
        return guest

    return counting


def count(state):
    return [intent.key.Id for _, intent in state.intents()]


def test_an_instance_serves_many_calls(stage, counting):
    engine = stage.load(counting())
    assert [count(stage.run(engine)) for _ in range(3)] == [[1], [2], [3]]


def test_each_partition_and_kind_has_instances_of_its_own(stage, counting):
    engine = stage.load(counting(), partitions=2)
    state = stage.state()
    for partition, kind in [
        (0, Scope.COMMANDS),
        (1, Scope.COMMANDS),
        (0, Scope.PROJECTORS),
        (0, Scope.COMMANDS),
    ]:
        engine.invoke("t.Do", state, state.call, partition=partition, kind=kind)
    assert count(state) == [1, 1, 1, 2]


def test_no_instance_is_kept_that_nobody_has_needed(stage, counting):
    engine = stage.load(counting(), partitions=64)
    assert not any(pool.in_use or pool._idle for _, pool in engine._pools.items())


@pytest.mark.parametrize(
    "harm",
    [
        "(unreachable)",
        "(drop (call $hostGetValue (i64.const 99)))",
        "(call $hostReadValues (i64.const 99))",
        "(call $proc_exit (i32.const 0))",
    ],
)
def test_an_instance_that_failed_in_any_way_is_replaced(stage, counting, harm):
    guest = counting(f"(if (i64.eq (global.get $count) (i64.const 2)) (then {harm}))")
    engine = stage.load(guest)
    assert count(stage.run(engine)) == [1]
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one is told elsewhere
        stage.run(engine)
    assert count(stage.run(engine)) == [1]


def test_what_a_storage_raises_comes_through_as_it_was(stage, wat):
    raised = StorageError("the storage is on fire")

    def burn():
        raise raised

    stage.memory["t.Things"].slow = burn
    guest = wat()
    with pytest.raises(StorageError) as caught:
        stage.does(guest.key("t.Things", Id=1) + "(drop (call $hostGetValue (local.get $k)))", guest)
    assert caught.value is raised


def test_what_a_read_raises_comes_through_as_it_was(stage, wat):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    stage.memory["t.Things"].slow = lambda: (_ for _ in ()).throw(StorageError("on fire"))
    guest = wat()
    with pytest.raises(StorageError, match="on fire"):
        stage.does(guest.key("t.Things", Id=1) + "(call $hostReadValues (local.get $k))", guest)


def test_a_defect_of_a_storage_says_which_extension_met_it(stage, wat):
    stage.memory["t.Things"].slow = lambda: 1 / 0
    guest = wat()
    with pytest.raises(CodeError, match=r"COMMAND t\.Do raised ZeroDivisionError") as caught:
        stage.does(guest.key("t.Things", Id=1) + "(drop (call $hostGetValue (local.get $k)))", guest)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_interrupt_of_the_operator_is_not_held_up(stage, wat):
    def interrupt():
        raise KeyboardInterrupt

    stage.memory["t.Things"].slow = interrupt
    guest = wat()
    with pytest.raises(KeyboardInterrupt):
        stage.does(guest.key("t.Things", Id=1) + "(drop (call $hostGetValue (local.get $k)))", guest)


def _printing(guest, text):
    """Return code that prints a text, in two pieces."""
    data = "".join(f"\\{byte:02x}" for byte in text.encode())
    guest.parts.append(f'(data (i32.const 61000) "{data}")')
    return f"""
        (i32.store (i32.const 60000) (i32.const 61000)) (i32.store (i32.const 60004) (i32.const 4))
        (i32.store (i32.const 60008) (i32.const 61004))
        (i32.store (i32.const 60012) (i32.const {len(text) - 4}))
        (drop (call $fd_write (i32.const 1) (i32.const 60000) (i32.const 2) (i32.const 60016)))"""


def test_a_panic_is_told_in_the_guest_s_own_words(stage, wat):
    guest = wat()
    code = _printing(guest, "panic: goodbye, world\ngoroutine 1\n")
    with pytest.raises(CodeError, match=r"^COMMAND t\.Do failed: panic: goodbye, world$") as caught:
        stage.does(code + "(unreachable)", guest)
    assert caught.value.place == "image/pkg/acme.example/t/t.wasm"


def test_what_was_printed_in_an_earlier_call_is_not_taken_for_a_panic(stage, wat):
    guest = wat()
    guest.add("Ask", _printing(guest, "panic: goodbye, world\n"))
    guest.add("Do", "(unreachable)")
    engine = stage.load(guest)
    stage.run(engine, "t.Ask")
    with pytest.raises(CodeError, match="it trapped"):
        stage.run(engine)


def test_the_end_of_what_a_guest_prints_is_logged(stage, wat, caplog):
    guest = wat()
    code = _printing(guest, "hello " * 500)
    with caplog.at_level(logging.DEBUG, "statehold.test"):
        stage.does(code, guest)
    [record] = caplog.records
    assert record.getMessage() == "COMMAND t.Do printed: " + ("hello " * 500)[-1024:]


def test_what_a_guest_prints_forges_no_line_of_the_log(stage, wat, caplog):
    guest = wat()
    code = _printing(guest, "as far\nERROR root: \x1b[2K")
    with caplog.at_level(logging.DEBUG, "statehold.test"):
        stage.does(code, guest)
    assert caplog.records[0].getMessage() == r"COMMAND t.Do printed: as far\nERROR root: \x1b[2K"


def test_a_panic_is_found_after_much_else_that_was_printed(stage, wat):
    guest = wat()
    code = _printing(guest, "step\n" * 500 + "panic: goodbye, world\n")
    with pytest.raises(CodeError, match=r"^COMMAND t\.Do failed: panic: goodbye, world$"):
        stage.does(code + "(unreachable)", guest)


def test_what_a_guest_printed_before_it_failed_is_logged(stage, wat, caplog):
    guest = wat()
    code = _printing(guest, "as far as here")
    with caplog.at_level(logging.DEBUG, "statehold.test"), pytest.raises(CodeError, match="it trapped"):
        stage.does(code + "(unreachable)", guest)
    assert [each.getMessage() for each in caplog.records] == ["COMMAND t.Do printed: as far as here"]


def test_secrets_of_the_app_are_taken_out_of_what_is_told(stage, wat):
    guest = wat()
    code = _printing(guest, "panic: the password is sesame\n")
    guest.add("Do", code + "(unreachable)")
    engine = stage.load(guest, redact=lambda text: text.replace("sesame", "***"))
    with pytest.raises(CodeError, match=r"the password is \*\*\*$"):
        stage.run(engine)


OUT_OF_MEMORY = "panic: runtime error: out of memory\n"


def _leaking(guest, before=""):
    """Return a guest that has memory for two calls."""
    guest.parts.append("(global $calls (mut i32) (i32.const 0))")
    code = _printing(guest, OUT_OF_MEMORY)
    guest.add(
        "Do",
        f"""{before} (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.gt_u (global.get $calls) (i32.const 2)) (then {code} (unreachable)))"""
        + guest.key("t.Things", Id=1)
        + "(drop (call $hostNewValue (local.get $k)))",
    )
    return guest


def test_a_call_that_ran_out_of_memory_is_tried_once_more_in_a_new_instance(stage, wat):
    engine = stage.load(_leaking(wat()))
    assert [len(count(stage.run(engine))) for _ in range(6)] == [1] * 6


def test_a_call_that_ran_out_of_memory_is_not_repeated_after_it_has_used_its_state(stage, wat):
    guest = wat()
    engine = stage.load(
        _leaking(guest, guest.key("t.Things", Id=1) + "(drop (call $hostQueryValue (local.get $k)))")
    )
    stage.run(engine)
    stage.run(engine)
    with pytest.raises(CodeError, match=r"out of memory.*256 pages"):
        stage.run(engine)
    stage.run(engine)


def test_a_call_that_needs_more_memory_than_there_is_fails_after_one_more_try(stage, wat):
    guest = wat()
    starts = []
    engine = stage.load(guest_that_never_has_enough(guest))
    session = engine._session
    engine._session = lambda module: starts.append(module) or session(module)
    with pytest.raises(CodeError, match="out of memory"):
        stage.run(engine)
    assert len(starts) == 2


def guest_that_never_has_enough(guest):
    guest.add("Do", _printing(guest, OUT_OF_MEMORY) + "(unreachable)")
    return guest


def test_an_instance_that_has_grown_as_far_as_it_can_is_replaced_between_two_calls(stage, counting):
    engine = stage.load(counting("(drop (memory.grow (i32.const 100)))"))
    assert [count(stage.run(engine)) for _ in range(3)] == [[1], [2], [1]]


def test_a_call_waits_for_an_instance_only_so_long(stage, wat):
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    inside, go_on = threading.Event(), threading.Event()

    def wait():
        inside.set()
        assert go_on.wait(60)

    stage.memory["t.Things"].slow = wait
    guest = wat()
    guest.add("Do", guest.key("t.Things", Id=1) + "(drop (call $hostGetValue (local.get $k)))")
    engine = stage.load(guest)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stage.run, engine)
        assert inside.wait(60)
        try:
            with pytest.raises(
                NoEngineError, match=r"WASM engines of acme\.t 1: all 1 for COMMANDS in partition 0"
            ):
                stage.run(engine)
        finally:
            go_on.set()
        first.result(60)


def test_the_errors_of_many_threads_are_not_mixed_up(stage, wat):
    """Half of the threads fail in the guest, half in a storage; each hears of its own failure only."""
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    guest = wat()
    guest.add("Do", guest.key("t.Closed", Id=1) + "(drop (call $hostGetValue (local.get $k)))")
    guest.add("Ask", guest.key("t.Things", Id=1) + "(drop (call $hostGetValue (local.get $k))) (unreachable)")
    engine = stage.load(guest, pool_sizes=dict.fromkeys(Scope, 4))

    def fails(name):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - looked at below
            stage.run(engine, name)
        return name, type(caught.value).__name__

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(fails, ["t.Do", "t.Ask"] * 100))
    assert found == {("t.Do", "ScopeError"), ("t.Ask", "CodeError")}


def test_guests_compute_at_the_same_time(stage, wat):
    """Each of two guests waits inside a host function until the other one is there, too."""
    stage.put("t.Things", None, {"Id": 1}, Text="x")
    both = threading.Barrier(2, timeout=60)
    stage.memory["t.Things"].slow = both.wait
    guest = wat()
    guest.add("Do", guest.key("t.Things", Id=1) + "(drop (call $hostGetValue (local.get $k)))")
    engine = stage.load(guest, pool_sizes=dict.fromkeys(Scope, 2))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: stage.run(engine), range(2)))


def tickers():
    return {thread for thread in threading.enumerate() if thread.name == "statehold-wasm-ticker"}


def test_free_leaves_no_thread(stage, wat):
    before = tickers()
    engine = stage.load(wat())
    stage.run(engine)
    assert tickers() - before
    assert list(engine.free()) == []
    stage.engines.clear()
    assert not tickers() - before


def test_a_module_that_is_refused_leaves_no_thread(stage, wat):
    before = tickers()
    guest = wat()
    guest.add("_start", "(unreachable)", variables="")
    with pytest.raises(DeployError):
        stage.load(guest)
    assert not tickers() - before


def test_what_a_call_had_is_let_go_of_when_it_ends(stage, counting):
    engine = stage.load(counting())
    state = stage.run(engine)
    gc.collect()
    assert not [each for each in gc.get_referrers(state) if type(each).__module__.startswith("statehold.ext")]


def test_a_session_is_freed_without_the_garbage_collector(stage, wat):
    engine = stage.load(wat())
    gc.collect()
    gc.disable()
    try:
        before = _count()
        engine._session(engine._modules[0]).close()
        assert _count() <= before
    finally:
        gc.enable()


def _count():
    own = ("statehold.extensions.wasm", "statehold.loading.wasm")
    return sum(str(type(each).__module__).startswith(own) for each in gc.get_objects())


@pytest.mark.soak
def test_memory_does_not_grow_over_a_thousand_rounds_of_loading_and_freeing(stage, wat):
    source = wat()
    source.add("Do", source.key("t.Things", Id=1) + "(drop (call $hostNewValue (local.get $k)))")
    stage.load(source)
    context = stage.context()

    def round_():
        engine = open_wasm(context)
        state = stage.state()
        engine.invoke("t.Do", state, state.call, partition=0, kind=Scope.COMMANDS)
        engine.free()

    for _ in range(200):
        round_()
    gc.collect()
    before = _resident()
    for _ in range(1000):
        round_()
    gc.collect()
    assert _resident() - before < 4 * 1024 * 1024
    assert len(tickers()) <= 1


@pytest.mark.soak
def test_memory_does_not_grow_with_instances_that_fail(stage, wat):
    guest = wat()
    guest.add("Do", "(unreachable)")
    engine = stage.load(guest, limits=WasmLimits())

    def rounds(number):
        for _ in range(number):
            with pytest.raises(CodeError):
                stage.run(engine)
        gc.collect()
        return _resident()

    before = rounds(2000)
    assert rounds(10_000) - before < 4 * 1024 * 1024


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
