"""What an asynchronous projector applies is held back and written in bundles."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.sdk import Operation, Rank, ScopeError, StorageError


def put(state, name, number, entity=None, **fields):
    state.new_value(state.key(name, entity, Id=number), **fields)
    state.apply_intents()


def test_applied_intents_wait_in_the_bundle_and_are_seen_by_gets(bench):
    a = bench.add("t.A")
    state = bench.bundled()
    key, other = state.key("t.A", Id=1), state.key("t.A", Id=2)
    a.rows[other] = bench.slots[0].rows.value(A=9)
    put(state, "t.A", 1, A=1)
    assert (bench.log, state.bundled) == (["t.A validate 1"], 1)
    assert [value["A"] for value in state.get_all([other, key, other])] == [9, 1, 9]
    assert (state.get(key)["A"], state.must_exist(key)["A"]) == (1, 1)


def test_a_bundle_answers_nothing_that_the_projector_may_not_get(bench):
    bench.add("t.A", Operation.INSERT)
    state = bench.bundled()
    put(state, "t.A", 1, A=1)
    for use in (state.get, state.must_exist):
        with pytest.raises(ScopeError):
            use(state.key("t.A", Id=1))


def test_the_next_call_sees_what_is_bundled_and_asks_for_its_own_workspace(bench):
    bench.add("t.A")
    state = bench.bundled()
    put(state, "t.A", 1, A=1)
    state.new_value(state.key("t.A", Id=2))
    state.bind(msgspec.structs.replace(bench.call, workspace=8))
    assert (state.intents_count, state.bundled) == (0, 1)
    assert state.get(state.key("t.A", Id=1)) is None
    assert state.get(state.key("t.A", Id=1, WSID=7))["A"] == 1


def test_a_bundle_is_staged_as_the_flushing_call_sees_its_storages(bench):
    class PerCall:
        def for_call(self, call):
            bench.log.append(f"bound for {call.extension}")
            return memory

        def free(self): ...

    memory = bench.add("t.A")
    bench.add("sys.View", entity="t.V", rank=Rank.ROWS, impl=PerCall())
    bench.add("t.B")
    state = bench.bundled()
    put(state, "sys.View", 1, "t.V")
    put(state, "t.B", 1)
    bench.log.clear()
    state.stage(msgspec.structs.replace(bench.call, extension="the flush"))
    assert (bench.log, state.bundled) == (["bound for the flush", "t.A apply 1"], 2)
    state.settle()
    assert (bench.log[2:], state.bundled) == (["t.B apply 1"], 0)


def test_pending_intents_are_not_seen(bench):
    bench.add("t.A")
    state = bench.bundled()
    key = state.key("t.A", Id=1)
    state.new_value(key)
    assert state.get(key) is None


def test_the_last_intent_on_a_key_wins_at_the_place_of_the_first(bench):
    a = bench.add("t.A")
    state = bench.bundled()
    for number, value in ((1, 1), (2, 2), (1, 3)):
        put(state, "t.A", number, A=value)
    state.flush()
    assert [(key["Id"], value["A"]) for key, value in a.rows.items()] == [(1, 3), (2, 2)]
    assert bench.log[-1] == "t.A apply 2"


def test_an_update_of_a_bundled_insert_is_written_as_an_insert(bench):
    bench.add("t.A")
    state = bench.bundled()
    put(state, "t.A", 1, A=1, B="x")
    key, other = state.key("t.A", Id=1), state.key("t.A", Id=2)
    state.update_value(key, state.get(key), A=2)
    state.update_value(other, bench.slots[0].rows.value(A=5), A=6)
    state.apply_intents()
    applied = []
    bench.storages["t.A"].apply_batch = applied.extend
    state.flush()
    rows = [(item.key.Id, item.value.A, item.value.B, item.is_new) for item in applied]
    assert rows == [(1, 2, "x", True), (2, 6, None, False)]


def test_the_bundle_is_full_at_its_limit_of_distinct_rows(bench):
    bench.add("t.A")
    bench.add("t.B")
    state = bench.bundled(bundle_limit=2)
    put(state, "t.A", 1)
    put(state, "t.A", 1)
    assert not state.is_full
    put(state, "t.B", 1)
    assert state.is_full


def test_a_read_of_a_bundled_entity_flushes_everything_first(bench):
    bench.add("sys.View", entity="t.V")
    bench.add("sys.View", entity="t.W")
    bench.add("t.A")
    state = bench.bundled()
    put(state, "t.A", 1)
    put(state, "sys.View", 1, "t.V")
    bench.log.clear()
    state.read(state.prefix("sys.View", "t.W"))
    assert bench.log == ["sys.View read"]
    rows = list(state.read(state.prefix("sys.View", "t.V")))
    assert (len(rows), state.bundled) == (1, 0)
    assert bench.log[1:] == ["sys.View apply 1", "t.A apply 1", "sys.View read"]


def test_a_refused_validation_bundles_nothing(bench):
    bench.add("t.A")
    bench.add("t.B").refuses = "validate"
    state = bench.bundled()
    for name in ("t.A", "t.B"):
        state.new_value(state.key(name, Id=1))
    with pytest.raises(StorageError):
        state.apply_intents()
    assert (state.bundled, state.intents_count) == (0, 0)


def test_a_failed_flush_keeps_its_bundle_and_the_rest_for_the_next_one(bench):
    bench.add("t.A")
    b = bench.add("t.B")
    mail = bench.add("sys.SendMail", rank=Rank.EFFECT)
    state = bench.bundled()
    for name in ("t.A", "t.B", "sys.SendMail"):
        put(state, name, 1)
    b.refuses = "apply"
    with pytest.raises(StorageError):
        state.flush()
    assert (state.bundled, mail.rows) == (2, {})
    b.refuses = ""
    bench.log.clear()
    state.flush()
    assert (bench.log, state.bundled) == (["t.B apply 1", "sys.SendMail apply 1"], 0)


def test_what_stands_on_the_row_store_leaves_its_bundles_together(bench):
    bench.add("sys.View", entity="t.V", rank=Rank.ROWS)
    bench.add("sys.Record", entity="t.R", rank=Rank.ROWS)
    fails = [True]

    def commit() -> None:
        if fails:
            raise StorageError("the disk is full")

    state = bench.bundled(commit=commit)
    put(state, "sys.View", 1, "t.V")
    put(state, "sys.Record", 1, "t.R")
    with pytest.raises(StorageError, match="disk"):
        state.flush()
    assert state.bundled == 2
    fails.clear()
    state.flush()
    assert state.bundled == 0


def test_effects_are_never_merged_and_never_answer_a_get(bench):
    logger = bench.add("sys.Logger", rank=Rank.EFFECT)
    state = bench.bundled()
    for text in ("one", "two"):
        put(state, "sys.Logger", 3, B=text)
    assert (state.bundled, state.get(state.key("sys.Logger", Id=3))) == (2, None)
    state.flush()
    assert bench.log[-1] == "sys.Logger apply 2"
    assert len(logger.rows) == 1


def test_an_empty_flush_asks_no_storage_and_commits_the_offset_all_the_same(bench):
    bench.add("t.A")
    state = bench.bundled(commit=lambda: bench.log.append("commit"))
    state.flush()
    assert bench.log == ["commit"]


@pytest.fixture(scope="module")
def new_bench(request):
    """Return what makes a bench: hypothesis wants a new one for every example."""
    return request.config.pluginmanager.get_plugin(str(Path(__file__).parent / "conftest.py")).Bench


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "get", "flush", "read"]), st.integers(0, 5), st.integers(0, 99)),
        max_size=40,
    )
)
def test_a_bundled_state_answers_as_if_every_change_were_stored_at_once(new_bench, steps):
    bench = new_bench()
    stored = bench.add("t.A")
    state = bench.bundled()
    model: dict[int, int] = {}
    for what, number, value in steps:
        if what == "put":
            put(state, "t.A", number, A=value)
            model[number] = value
        elif what == "flush":
            state.flush()
        elif what == "read":
            assert {k["Id"]: v["A"] for k, v in state.read(state.prefix("t.A"))} == model
        else:
            found = state.get(state.key("t.A", Id=number))
            assert (found and found["A"]) == model.get(number)
    state.flush()
    assert {key["Id"]: value["A"] for key, value in stored.rows.items()} == model


def test_the_work_of_filling_and_flushing_grows_with_the_keys_alone(bench):
    bench.add("t.A")
    state = bench.bundled(limit=5000, bundle_limit=5000)
    for number in range(5000):
        state.new_value(state.key("t.A", Id=number), A=number)
    state.apply_intents()
    assert state.is_full
    state.flush()
    assert bench.log == ["t.A validate 5000", "t.A apply 5000"]
