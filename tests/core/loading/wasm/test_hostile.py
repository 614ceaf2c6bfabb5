"""Modules that do what they must not: each ends with a typed error, and host and neighbours go on."""

from __future__ import annotations

import pytest
from wasm_modules import answer, packed

from statehold.loading.wasm import Reason, WasmError, WasmLimits
from statehold.loading.wasm._errors import GuestError
from statehold.sdk import StorageError
from statehold.testing import open_storage

LOOP = "(loop $again (br $again))"
TRAP = "unreachable"
RECURSION = "(call $deep)"
DEEP = "(func $deep (call $deep) (call $deep))"

#: What calls each export.
CALLS = {
    "statehold_get": lambda one: one.facade.get(key(one)),
    "statehold_get_batch": lambda one: one.facade.get_batch([key(one)]),
    "statehold_read": lambda one: list(one.facade.read(one.prefix(1))),
    "statehold_next": lambda one: list(one.facade.read(one.prefix(1))),
    "statehold_validate": lambda one: one.writer.validate([intent(one)]),
    "statehold_apply": lambda one: one.writer.apply_batch([intent(one)]),
    "statehold_probe": lambda one: one.storage.probe(),
}
AT_OPEN = ("statehold_abi", "statehold_alloc", "statehold_free", "statehold_open")
WILD = {
    "past the end": 131_000 << 32 | 1000,
    "from the end on": 131_072 << 32 | 1,
    "a length below zero": 4096 << 32 | 0xFFFFFFFF,
    "an address below zero": 0xFFFFFFFF << 32 | 1,
    "both below zero": 0xFFFFFFFF << 32 | 0xFFFFFFFF,
    "the whole memory and one byte": 131_073,
}
GARBAGE = {
    "a byte that means nothing": b"\xc1",
    "an array without its elements": b"\x92",
    "four billion elements": b"\xdd\xff\xff\xff\xff",
    "a text of four billion bytes": b"\x92\x01\xdb\xff\xff\xff\xff",
    "a text that is no UTF-8": b"\x92\x01\xa2\xc3\x28",
    "something behind it": b"\x92\x01\xa0\xc0",
    "arrays in arrays": b"\x91" * 3000,
    "a map": b"\x80",
    "a refusal that is no UTF-8": b"\xa2\xc3\x28",
    "an extension type": b"\xd4\x05\x00",
    "nothing set at all": b"\xc0",
}
WRONG = {
    "a field too few": [1],
    "a field too many": [1, "a", 1],
    "a text for an int": ["1", "a"],
    "an int for a text": [1, 1],
    "bytes for a text": [1, b"a"],
    "a float for an int": [1.5, "a"],
    "an int that is too large": [2**31, "a"],
    "an int that is too small": [-(2**31) - 1, "a"],
    "an int of no type": [2**64 - 1, "a"],
}


def key(one):
    return one.key(1, Id=1)


def intent(one):
    return one.facade.insert(key(one), {"Count": 1})


def failing(one, export, reason):
    """Call an export, and return the error that it is to end with."""
    with pytest.raises(WasmError) as caught:
        CALLS[export](one)
    error = caught.value
    assert (error.storage, error.reason) == ("test.Thing", reason)
    assert error.export == export
    assert "test.Thing" in str(error)
    assert export in str(error)
    return error


@pytest.mark.parametrize("export", CALLS)
@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (LOOP + "unreachable", Reason.DEADLINE, "computed for more than 0.3 s"),
        (TRAP, Reason.TRAPPED, "trapped"),
        (RECURSION + TRAP, Reason.TRAPPED, "called itself too deeply"),
    ],
    ids=["an endless loop", "a trap", "a recursion"],
)
def test_what_does_not_return_ends_its_call_and_is_replaced(opened, export, code, reason, text):
    one = opened({export: code}, more=DEEP)
    error = failing(one, export, reason)
    assert text in str(error)
    assert "its rows are gone" in str(error)
    fine = next(other for other in ("statehold_get", "statehold_apply") if other != export)
    CALLS[fine](one)
    failing(one, export, reason)


@pytest.mark.parametrize("code", [LOOP + "unreachable", TRAP, RECURSION + TRAP])
@pytest.mark.parametrize("export", AT_OPEN)
def test_what_does_not_return_while_it_is_opened_is_not_opened(opened, export, code):
    with pytest.raises(
        WasmError, match=r"test\.Thing: .*(it|export statehold_open) (computed|trapped|called)"
    ):
        opened({export: code}, more=DEEP)


def test_a_start_function_that_loops_is_stopped(opened):
    with pytest.raises(WasmError, match=r"cannot be started: it computed for more than 0\.3 s") as caught:
        opened(more=f"(func $begin {LOOP}) (start $begin)")
    assert caught.value.export == "start"
    assert caught.value.reason is Reason.DEADLINE


def test_a_start_function_that_traps_is_told(opened):
    with pytest.raises(WasmError, match="cannot be started: it trapped"):
        opened(more="(func $begin unreachable) (start $begin)")


@pytest.mark.parametrize("code", [LOOP, TRAP])
def test_what_does_not_return_while_it_is_closed_is_told_and_given_back(load, code):
    plugin = load({"statehold_close": code}, limits=WasmLimits(deadline=0.05))
    opening = open_storage(plugin.providers["Thing"])
    storage = opening.__enter__().storage
    with pytest.raises(WasmError) as caught:
        storage.free()
    assert caught.value.export == "statehold_close"
    assert storage._instance is None


@pytest.mark.parametrize("code", [LOOP, TRAP])
def test_a_read_that_cannot_be_left_is_logged_and_replaced(opened, caplog, code):
    one = opened({"statehold_end": code})
    reading = one.facade.read(one.prefix(1))
    next(reading)
    reading.close()
    assert "its export statehold_end" in caplog.text
    assert one.facade.get(key(one)).Count == 7


def test_the_number_of_a_read_is_no_address(opened):
    one = opened({"statehold_read": packed(2**32 - 1)})
    before = one.storage._instance
    reading = one.facade.read(one.prefix(1))
    next(reading)
    reading.close()
    assert one.storage._instance is before


@pytest.mark.parametrize("wild", WILD.values(), ids=WILD)
@pytest.mark.parametrize("export", CALLS)
def test_memory_that_is_not_there_is_never_read(opened, export, wild):
    one = opened({export: f"(i64.const {wild - 2**64 if wild >= 2**63 else wild})"})
    error = failing(one, export, Reason.WILD)
    assert "its memory ends at 131072" in str(error)
    assert "its rows are gone" in str(error)


@pytest.mark.parametrize("at", [-1, 131_072, 131_071 - 4094, 2**31 - 1, -(2**31)])
def test_room_that_is_not_there_is_never_written(opened, at):
    with pytest.raises(WasmError, match="its memory ends at 131072") as caught:
        opened({"statehold_alloc": f"(i32.const {at})"})
    assert caught.value.reason is Reason.WILD


def test_an_answer_may_lie_over_what_it_was_given(opened):
    echo = (
        "(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))"
    )
    one = opened({"statehold_get": echo})
    # The key comes back: a workspace and an id, and no text.
    failing(one, "statehold_get", Reason.ANSWER)


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("export", CALLS)
def test_garbage_is_an_error_of_that_call_alone(opened, export, garbage):
    one = opened({export: answer(garbage)})
    failing(one, export, Reason.ANSWER)
    before = one.storage._instance
    fine = next(other for other in ("statehold_get", "statehold_apply") if other != export)
    CALLS[fine](one)
    assert one.storage._instance is before


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_values_of_other_types_are_errors(opened, wrong):
    one = opened(
        {
            "statehold_get": packed(wrong),
            "statehold_get_batch": packed([wrong]),
            "statehold_next": packed([[[1, 1], wrong]]),
        }
    )
    for export in ("statehold_get", "statehold_get_batch", "statehold_next"):
        failing(one, export, Reason.ANSWER)


@pytest.mark.parametrize(
    "row", [[[1], [1, "a"]], [[1, None], [1, "a"]], [["1", 1], [1, "a"]], [[2, 1], [1, "a"]], [[1, 1]], 5]
)
def test_rows_that_are_none_or_not_under_the_key_are_errors(opened, row):
    failing(opened({"statehold_next": packed([row])}), "statehold_next", Reason.ANSWER)


@pytest.mark.parametrize("count", [0, 2, 1000])
def test_a_batch_of_another_size_is_an_error(opened, count):
    failing(opened({"statehold_get_batch": packed([[1, "a"]] * count)}), "statehold_get_batch", Reason.ANSWER)


def test_a_batch_that_is_not_answered_is_an_error(opened):
    failing(opened({"statehold_get_batch": "(i64.const 0)"}), "statehold_get_batch", Reason.ANSWER)


@pytest.mark.parametrize("number", [-1, 2**32, 1.0, None, [1]])
def test_a_read_without_a_number_is_an_error(opened, number):
    failing(opened({"statehold_read": packed(number)}), "statehold_read", Reason.ANSWER)


def test_an_answer_that_is_huge_is_an_error(load):
    plugin = load({"statehold_get": f"(i64.const {1 << 32 | 1000})"}, limits=WasmLimits(answer_bytes=999))
    with open_storage(plugin.providers["Thing"]) as one:
        with pytest.raises(WasmError, match="answered 1000 bytes, and 999 is the limit") as caught:
            one.facade.get(key(one))
        assert caught.value.reason is Reason.ANSWER
        assert one.facade.get_batch([key(one)])[0].Count == 7


def test_an_answer_of_too_many_values_is_an_error_of_that_call_alone(opened):
    many = """
        (drop (memory.grow (i32.const 32)))
        (memory.fill (i32.const 131072) (i32.const 0xc0) (i32.const 2097152))
        (i32.store8 (i32.const 131072) (i32.const 0xdd))
        (i32.store (i32.const 131073) (i32.const 0xfbff1f00))
        (i64.const 0x0002000000200000)
    """
    one = opened({"statehold_get_batch": many}, deadline=5.0, memory_mib=8)
    with pytest.raises(WasmError, match="more than 1048576 values") as caught:
        one.facade.get_batch([key(one)])
    assert caught.value.reason is Reason.ANSWER
    assert one.facade.get(key(one)).Count == 7


def test_memory_that_grows_without_end_stops_at_the_limit(opened):
    bomb = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"
    one = opened({"statehold_get": bomb}, memory_mib=3)
    error = failing(one, "statehold_get", Reason.TRAPPED)
    assert error.hint == "It had 3 MiB of memory, of 3"


def test_more_memory_than_the_limit_at_its_start_is_refused(opened):
    with pytest.raises(WasmError, match="cannot be started"):
        opened(memory=17, memory_mib=1)


def test_without_room_for_what_it_is_given_it_refuses_and_goes_on(opened):
    least = """(if (result i32) (i32.gt_u (local.get 0) (i32.const 5000))
      (then i32.const 0) (else (call $take (local.get 0))))"""
    one = opened({"statehold_alloc": least})
    with pytest.raises(WasmError, match="statehold_apply has no room for 6") as caught:
        one.writer.apply_batch([one.facade.insert(key(one), {"Text": "x" * 6000})])
    assert caught.value.reason is Reason.MEMORY
    assert "limits.memory_mib" in caught.value.hint
    one.writer.apply_batch([intent(one)])


def test_what_is_given_in_a_room_of_its_own_is_given_back_whatever_becomes_of_it(opened):
    count = "(global.set $given (i32.add (global.get $given) (i32.const 1)))"
    told = "(i64.const 0) (if (i32.ne (global.get $given) (i32.const 2)) (then unreachable))"
    one = opened({"statehold_free": count, "statehold_probe": told})
    large = one.facade.insert(key(one), {"Text": "x" * 5000})
    # What is given while it is opened has a room of its own, too.
    one.writer.apply_batch([large])
    one.storage.probe()


def test_a_read_does_not_go_on_in_what_replaced_its_instance(opened):
    chunk = packed([[[1, 1], [7, "seven"]]])
    one = opened({"statehold_apply": TRAP, "statehold_next": chunk})
    reading = one.facade.read(one.prefix(1))
    next(reading)
    failing(one, "statehold_apply", Reason.TRAPPED)
    with pytest.raises(WasmError, match="cannot go on with a READ: it was replaced meanwhile"):
        next(reading)
    assert one.facade.get(key(one)).Count == 7


def test_a_read_that_is_left_after_its_instance_was_replaced_is_nobodys(opened):
    one = opened({"statehold_apply": TRAP, "statehold_end": TRAP})
    reading = one.facade.read(one.prefix(1))
    next(reading)
    failing(one, "statehold_apply", Reason.TRAPPED)
    reading.close()
    assert one.facade.get(key(one)).Count == 7


def test_other_partitions_go_on_while_one_is_stopped(load):
    loop = f"(if (i32.eq (local.get 1) (i32.const 3)) (then {LOOP})) {packed([7, 'seven'])}"
    plugin = load({"statehold_get": loop}, limits=WasmLimits(deadline=0.05))
    provider = plugin.providers["Thing"]
    with open_storage(provider) as one, open_storage(provider, partition=1) as other:
        # A key of three bytes, [1, 1], and one of four.
        failing(one, "statehold_get", Reason.DEADLINE)
        assert other.facade.get(other.key(1, Id=200)).Count == 7
        assert one.facade.get(one.key(1, Id=200)).Count == 7


def test_a_module_that_refuses_is_a_storage_that_refuses(opened):
    for export, call in CALLS.items():
        one = opened({export: packed("no, thanks")})
        before = one.storage._instance
        with pytest.raises(StorageError, match=r"test\.Thing: no, thanks"):
            call(one)
        assert one.storage._instance is before


def test_a_module_that_cannot_be_opened_again_is_not_tried_at_once(opened, monkeypatch):
    one = opened({"statehold_apply": TRAP})
    failing(one, "statehold_apply", Reason.TRAPPED)
    tried = []
    real = one.storage._runtime.instance

    def instance(*given):
        tried.append(1)
        raise GuestError("is not there", reason=Reason.TRAPPED)

    monkeypatch.setattr(one.storage._runtime, "instance", instance)
    now = [100.0]
    monkeypatch.setattr("statehold.loading.wasm._calling.time.monotonic", lambda: now[0])
    with pytest.raises(WasmError, match="cannot be started: it is not there"):
        one.facade.get(key(one))
    with pytest.raises(WasmError, match="cannot be started: it is not there") as caught:
        one.facade.get(key(one))
    assert caught.value.reason is Reason.START
    assert len(tried) == 1
    now[0] += 0.2
    with pytest.raises(WasmError):
        one.facade.get(key(one))
    assert len(tried) == 2
    now[0] += 0.15
    with pytest.raises(WasmError):
        one.facade.get(key(one))
    assert len(tried) == 2
    monkeypatch.setattr(one.storage._runtime, "instance", real)
    now[0] += 1
    assert one.facade.get(key(one)).Count == 7
