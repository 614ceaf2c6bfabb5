"""One call's view of its storages, and the changes it asks for."""

from __future__ import annotations

import msgspec
import pytest

from statehold.sdk import FreedError, Operation, Rank, SchemaError, ScopeError, StorageError
from statehold.state import (
    ExistsError,
    IntentLimitError,
    IntentRecord,
    NotExistsError,
    StateError,
    UnknownStorageError,
)

GET, GETBATCH, READ, INSERT, UPDATE = Operation


def test_a_key_is_of_the_call_s_workspace_unless_it_names_another(bench):
    bench.add("t.A")
    state = bench.state()
    assert state.key("t.A", Id=1).WSID == 7
    assert state.key("t.A", Id=1, WSID=8).WSID == 8
    assert state.prefix("t.A", WSID=8).WSID == 8


def test_a_storage_that_is_not_used_is_named_with_those_that_are(bench):
    bench.add("t.A")
    bench.add("sys.View", entity="t.V")
    with pytest.raises(UnknownStorageError, match=r"t.Nope is not among .* they name: t.A, sys.View\(t.V\)"):
        bench.state().key("t.Nope", Id=1)
    with pytest.raises(UnknownStorageError, match=r"sys.View\(t.W\)"):
        bench.state().key("sys.View", "t.W", Id=1)


def test_a_key_of_a_storage_that_is_not_used_is_refused(bench):
    bench.add("t.A")
    state = bench.state()
    bench.slots.clear()
    bench.add("t.B")
    for stranger in (bench.state().key("t.B", Id=1), None, ("x",), []):
        with pytest.raises(UnknownStorageError, match="no key of the storages"):
            state.get(stranger)


def test_a_missing_row_is_none(bench):
    bench.add("t.A")
    state = bench.state()
    assert state.get(state.key("t.A", Id=1)) is None


def test_get_is_made_of_getbatch_where_there_is_no_get(bench):
    bench.add("t.A", GETBATCH)
    state = bench.state()
    assert state.get(state.key("t.A", Id=1)) is None
    assert bench.log == ["t.A get_batch 1"]


def test_get_all_answers_in_order_with_one_look_up_per_storage(bench):
    a, b = bench.add("t.A"), bench.add("t.B", GET)
    state = bench.state()
    keys = [state.key("t.B", Id=1), state.key("t.A", Id=1), state.key("t.B", Id=1), state.key("t.A", Id=2)]
    a.rows[keys[3]] = bench.slots[0].rows.value(A=2)
    b.rows[keys[0]] = bench.slots[1].rows.value(A=1)
    assert [value and value["A"] for value in state.get_all(keys)] == [1, None, 1, 2]
    assert bench.log == ["t.B get", "t.B get", "t.A get_batch 2"]
    assert state.get_all([]) == []


def test_get_all_of_a_storage_with_get_alone_finds_what_is_there(bench):
    a = bench.add("t.A", GET)
    state = bench.state()
    key = state.key("t.A", Id=1)
    a.rows[key] = bench.slots[0].rows.value(A=1)
    assert state.must_exist_all([key, key]) == [a.rows[key]] * 2
    with pytest.raises(ExistsError):
        state.must_not_exist_all([state.key("t.A", Id=2), key])


def test_what_must_exist_and_what_must_not_is_named(bench):
    a = bench.add("t.A")
    state = bench.state()
    there, missing = state.key("t.A", Id=1), state.key("t.A", Id=2)
    a.rows[there] = bench.slots[0].rows.value(A=1)
    assert state.must_exist(there)["A"] == 1
    state.must_not_exist(missing)
    assert bench.log == ["t.A get", "t.A get"]
    with pytest.raises(NotExistsError, match=r"COMMAND t.Do: t.A\(WSID=7, Id=2\) does not exist") as caught:
        state.must_exist_all([there, missing])
    error = caught.value
    assert (error.state, error.storage, error.entity, error.key) == ("COMMAND t.Do", "t.A", None, missing)
    with pytest.raises(NotExistsError, match="does not exist"):
        state.must_exist(missing)
    for must_not in (state.must_not_exist, lambda key: state.must_not_exist_all([key])):
        with pytest.raises(ExistsError, match="exists already"):
            must_not(there)


@pytest.mark.parametrize("operation", Operation)
def test_an_operation_the_extension_may_not_use_raises_and_is_counted(bench, operation):
    others = set(Operation) - {operation, *([GETBATCH] if operation is GET else [])}
    bench.add("t.A", *others)
    state = bench.state()
    key, value = state.key("t.A", Id=1), bench.slots[0].rows.value()
    uses = {
        GET: lambda: state.get(key),
        READ: lambda: state.read(key),
        INSERT: lambda: state.new_value(key),
        UPDATE: lambda: state.update_value(key, value),
    }
    if operation is GETBATCH:
        assert state.get_all([key]) == [None]
        return
    with pytest.raises(ScopeError, match=f"may not {operation} t.A"):
        uses[operation]()
    assert state.intents_count == 0
    assert bench.counts.denied(operation) == 1


def test_reads_do_not_see_pending_intents(bench):
    bench.add("t.A")
    state = bench.state()
    key = state.key("t.A", Id=1)
    state.new_value(key, A=1)
    assert state.get(key) is None
    assert list(state.read(state.prefix("t.A"))) == []


def test_a_value_takes_what_is_put_until_it_is_applied(bench):
    a = bench.add("t.A")
    state = bench.state()
    key = state.key("t.A", Id=1)
    builder = state.new_value(key, A=1)
    builder.put(B="x")
    builder.put(A=2)
    state.apply_intents()
    assert a.rows[key] == bench.slots[0].rows.value(A=2, B="x")


def test_an_update_starts_from_the_value_it_was_given(bench):
    a = bench.add("t.A")
    state = bench.state()
    key = state.key("t.A", Id=1)
    state.update_value(key, bench.slots[0].rows.value(A=1, B="old"), B="new")
    state.apply_intents()
    assert a.rows[key] == bench.slots[0].rows.value(A=1, B="new")


def test_a_wrong_field_is_refused_where_it_is_put_and_leaves_no_intent(bench):
    bench.add("t.A")
    state = bench.state()
    key = state.key("t.A", Id=1)
    with pytest.raises(SchemaError, match="field A"):
        state.new_value(key, A="x")
    assert state.intents_count == 0
    builder = state.new_value(key)
    with pytest.raises(SchemaError, match="no field 'C'"):
        builder.put(C=1)


def test_more_intents_than_the_limit_are_refused_over_all_storages(bench):
    bench.add("t.A")
    bench.add("t.B")
    state = bench.state(limit=2)
    state.new_value(state.key("t.A", Id=1))
    state.new_value(state.key("t.A", Id=1))
    with pytest.raises(IntentLimitError, match="more than 2 intents"):
        state.new_value(state.key("t.B", Id=1))
    assert state.intents_count == 2


def test_the_operation_is_checked_before_the_limit_and_the_limit_before_the_value(bench):
    bench.add("t.A", GET)
    bench.add("t.B")
    state = bench.state(limit=0)
    with pytest.raises(ScopeError):
        state.new_value(state.key("t.A", Id=1))
    with pytest.raises(IntentLimitError):
        state.new_value(state.key("t.B", Id=1), A="wrong")


def test_two_intents_on_one_key_are_both_applied_in_order(bench):
    a = bench.add("t.A")
    state = bench.state()
    key = state.key("t.A", Id=1)
    first, second = state.new_value(key, A=1), state.update_value(key, bench.slots[0].rows.value(A=5), A=2)
    assert state.find_intent(key) is first
    assert state.find_intent(key, is_new=False) is second
    assert state.find_intent(state.key("t.A", Id=2)) is None
    assert [(str(slot), intent.is_new) for slot, intent in state.intents()] == [("t.A", True), ("t.A", False)]
    state.apply_intents()
    assert (a.rows[key]["A"], bench.log) == (2, ["t.A validate 2", "t.A apply 2"])


def test_validate_asks_every_storage_with_intents_and_applies_nothing(bench):
    a = bench.add("t.A")
    bench.add("t.B")
    state = bench.state()
    state.validate_intents()
    state.new_value(state.key("t.A", Id=1))
    state.validate_intents()
    assert (bench.log, a.rows, state.intents_count) == (["t.A validate 1"], {}, 1)


def test_intents_are_applied_by_rank_and_the_row_store_commits_once(bench):
    bench.add("sys.SendMail", rank=Rank.EFFECT)
    bench.add("t.A")
    bench.add("sys.Record", entity="t.R", rank=Rank.ROWS)
    bench.add("sys.View", entity="t.V", rank=Rank.ROWS)
    state = bench.state()
    for name, entity in (
        ("sys.SendMail", None),
        ("t.A", None),
        ("sys.View", "t.V"),
        ("sys.Record", "t.R"),
    ):
        state.new_value(state.key(name, entity, Id=1))
    state.apply_intents(commit=lambda: bench.log.append("commit"))
    assert [entry for entry in bench.log if "validate" not in entry] == [
        "sys.Record apply 1",
        "sys.View apply 1",
        "commit",
        "t.A apply 1",
        "sys.SendMail apply 1",
    ]


def test_the_entities_of_one_storage_are_one_batch(bench):
    bench.add("sys.View", entity="t.V")
    bench.add("sys.View", entity="t.W")
    state = bench.state()
    for entity in ("t.W", "t.V"):
        state.new_value(state.key("sys.View", entity, Id=1))
    state.apply_intents()
    assert bench.log == ["sys.View validate 2", "sys.View apply 2"]


def test_after_a_refusal_nothing_is_pending_and_later_storages_are_not_applied(bench):
    bench.add("t.A").refuses = "apply"
    bench.add("t.B")
    state = bench.state()
    for name in ("t.A", "t.B"):
        state.new_value(state.key(name, Id=1))
    with pytest.raises(StorageError):
        state.apply_intents()
    assert (bench.log[-1], state.intents_count) == ("t.A apply 1", 0)
    state.apply_intents()
    assert bench.log == ["t.A validate 1", "t.B validate 1", "t.A apply 1"]


def test_where_a_storage_does_not_validate_nothing_is_applied_anywhere(bench):
    bench.add("t.A")
    bench.add("t.B").refuses = "validate"
    state = bench.state()
    for name in ("t.A", "t.B"):
        state.new_value(state.key(name, Id=1))
    with pytest.raises(StorageError):
        state.apply_intents(commit=lambda: bench.log.append("commit"))
    assert (bench.log, state.intents_count) == (["t.A validate 1", "t.B validate 1"], 0)


def test_what_is_staged_is_only_what_stands_on_the_row_store_and_the_rest_waits_for_the_commit(bench):
    bench.add("t.A")
    bench.add("sys.Record", entity="t.R", rank=Rank.ROWS)
    state = bench.state()
    state.new_value(state.key("t.A", Id=1))
    state.new_value(state.key("sys.Record", "t.R", Id=1))
    state.stage()
    assert (bench.log, state.intents_count) == (["sys.Record apply 1"], 1)
    state.settle()
    assert (bench.log, state.intents_count) == (["sys.Record apply 1", "t.A apply 1"], 0)


def test_what_is_prepared_is_validated_and_staged(bench):
    bench.add("t.A")
    bench.add("sys.Record", entity="t.R", rank=Rank.ROWS)
    state = bench.state()
    state.prepare()
    state.new_value(state.key("t.A", Id=1))
    state.new_value(state.key("sys.Record", "t.R", Id=1))
    state.prepare()
    prepared = ["sys.Record validate 1", "t.A validate 1", "sys.Record apply 1"]
    assert (bench.log, state.intents_count) == (prepared, 1)
    state.settle()
    assert (bench.log, state.intents_count) == ([*prepared, "t.A apply 1"], 0)


@pytest.mark.parametrize("refusing", ["validate", "apply"])
def test_a_refused_preparing_forgets_all_that_was_asked(bench, refusing):
    bench.add("t.A")
    bench.add("sys.Record", entity="t.R", rank=Rank.ROWS).refuses = refusing
    state = bench.state()
    state.new_value(state.key("t.A", Id=1))
    state.new_value(state.key("sys.Record", "t.R", Id=1))
    with pytest.raises(StorageError):
        state.prepare()
    assert state.intents_count == 0


def test_a_refused_staging_forgets_all_that_was_asked(bench):
    bench.add("t.A")
    bench.add("sys.Record", entity="t.R", rank=Rank.ROWS).refuses = "apply"
    state = bench.state()
    state.new_value(state.key("t.A", Id=1))
    state.new_value(state.key("sys.Record", "t.R", Id=1))
    with pytest.raises(StorageError):
        state.stage()
    state.settle()
    assert (bench.log, state.intents_count) == (["sys.Record apply 1"], 0)


def test_a_value_that_was_validated_can_still_be_put_to(bench):
    a = bench.add("t.A")
    state = bench.state()
    builder = state.new_value(state.key("t.A", Id=1), A=1)
    state.validate_intents()
    builder.put(A=2)
    state.apply_intents()
    assert a.rows[builder.key]["A"] == 2
    assert bench.counts.calls(INSERT) == 2


class PerCall:
    """Keeps its rows by the workspace of the call."""

    def __init__(self, make):
        self.make, self.bound = make, []

    def for_call(self, call):
        self.bound.append(call.workspace)
        return self.make(f"of {call.workspace}")

    def free(self): ...


def test_a_storage_that_asks_for_the_call_is_bound_at_its_first_use_and_once(bench):
    made = {}
    storage = PerCall(lambda name: made.setdefault(name, type(bench.add("t.A"))(name, bench.log)))
    for entity in ("t.V", "t.W"):
        bench.add("sys.View", entity=entity, impl=storage)
    state = bench.state()
    key = state.key("sys.View", "t.V", Id=1)
    assert storage.bound == []
    assert state.get(key) is None
    state.new_value(state.key("sys.View", "t.W", Id=1), A=5)
    state.apply_intents()
    assert storage.bound == [7]
    assert [value["A"] for _, value in state.read(state.prefix("sys.View", "t.W"))] == [5]
    assert bench.log == ["of 7 get", "of 7 validate 1", "of 7 apply 1", "of 7 read"]
    assert (bench.counts.calls(GET), bench.counts.calls(READ), bench.counts.calls(INSERT)) == (1, 1, 1)


def test_a_streamed_value_is_sent_when_the_next_one_is_asked_for_and_counts_towards_no_limit(bench):
    bench.add("t.A")
    bench.add("sys.Result", streamed=True)
    state = bench.state(limit=1)
    for number in range(3):
        state.new_value(state.key("sys.Result", Id=number), A=number)
    assert bench.log == ["sys.Result validate 1", "sys.Result apply 1"] * 2
    state.new_value(state.key("t.A", Id=1))
    with pytest.raises(IntentLimitError):
        state.new_value(state.key("t.A", Id=1))
    state.apply_intents()
    assert bench.log[4:] == [
        "t.A validate 1",
        "sys.Result validate 1",
        "t.A apply 1",
        "sys.Result apply 1",
    ]


def test_a_whole_value_is_sent_at_once_after_what_is_pending_there(bench):
    result = bench.add("sys.Result", streamed=True)
    state = bench.state(limit=1)
    state.new_value(state.key("sys.Result", Id=1), A=1)
    state.give(state.key("sys.Result", Id=2), {"A": 2})
    assert bench.log == ["sys.Result validate 1", "sys.Result apply 1"] * 2
    assert [key.Id for key in result.rows] == [1, 2]
    assert state.intents_count == 0
    with pytest.raises(SchemaError, match="Colour"):
        state.give(state.key("sys.Result", Id=3), {"Colour": 3})


def test_a_whole_value_of_a_storage_that_is_not_streamed_waits_as_others_do(bench):
    bench.add("t.A")
    state = bench.state(limit=1)
    state.give(state.key("t.A", Id=1), {"A": 2})
    assert (bench.log, state.intents_count) == ([], 1)
    with pytest.raises(IntentLimitError):
        state.give(state.key("t.A", Id=2), {"A": 2})


def test_what_is_not_of_the_row_store_can_be_kept_as_data_and_applied_by_another_state(bench):
    a = bench.add("t.A")
    bench.add("sys.Record", entity="t.R", rank=Rank.ROWS)
    bench.add("sys.Logger", rank=Rank.EFFECT)
    state = bench.state()
    value = bench.slots[0].rows.value
    first = state.new_value(state.key("t.A", Id=1), A=1, B="é", O={"x": [value(A=3)], "raw": b"\xff"})
    first.put(**{"sys.ID": 9})
    state.update_value(state.key("t.A", Id=2), value(A=4), B="y")
    state.new_value(state.key("sys.Record", "t.R", Id=1))
    state.new_value(state.key("sys.Logger", Id=1))
    kept = msgspec.msgpack.encode(state.deferred(but=["sys.Logger"]))
    state.clear_intents()
    later = bench.state(limit=0)
    later.restore(msgspec.msgpack.decode(kept, type=list[IntentRecord]))
    assert [(str(slot), intent.is_new) for slot, intent in later.intents()] == [("t.A", True), ("t.A", False)]
    later.settle()
    (new, changed) = a.rows.values()
    assert (new.A, new.B, new.sys_ID) == (1, "é", 9)
    assert new.O == {"x": [{"A": 3}], "raw": b"\xff"}
    assert (changed.A, changed.B) == (4, "y")


def test_a_state_of_a_freed_version_reaches_no_storage(bench):
    bench.add("t.A")
    state = bench.state()
    key = state.key("t.A", Id=1)
    state.uses.close()
    for use in (lambda: state.key("t.A", Id=1), lambda: state.get(key), lambda: state.new_value(key)):
        with pytest.raises(FreedError, match=r"COMMAND t.Do: its version has been freed"):
            use()
    assert bench.log == []


def test_cleared_intents_are_never_applied(bench):
    bench.add("t.A")
    state = bench.state(limit=1)
    state.new_value(state.key("t.A", Id=1))
    state.clear_intents()
    state.validate_intents()
    state.apply_intents()
    assert (bench.log, state.intents_count) == ([], 0)
    state.new_value(state.key("t.A", Id=1))


def test_every_error_of_a_state_is_a_state_error():
    for kind in (ExistsError, NotExistsError, IntentLimitError, UnknownStorageError):
        assert issubclass(kind, StateError)
