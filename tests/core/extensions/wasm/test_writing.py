from __future__ import annotations

import pytest

from statehold.extensions import CodeError
from statehold.sdk import SchemaError
from statehold.state import UnknownStorageError

NEW = "(local.set $i (call $hostNewValue (local.get $k)))"


def put(kind, name, *value):
    return f"(call $hostRowWriterPut{kind} (local.get $i) (i32.const 1) {{{name}}} {' '.join(value)})"


def put_key(kind, name, *value):
    return f"(call $hostRowWriterPut{kind} (local.get $k) (i32.const 0) {{{name}}} {' '.join(value)})"


@pytest.mark.parametrize(
    ("code", "field", "expected"),
    [
        (put("String", "Text", "{Ünï}"), "Text", "Ünï"),
        (put("String", "Text", "{}"), "Text", ""),
        (put("Bytes", "Data", "{ab}"), "Data", b"ab"),
        (put("Bool", "Flag", "(i32.const 1)"), "Flag", True),
        (put("Bool", "Flag", "(i32.const 0)"), "Flag", False),
        (put("Int32", "Number", "(i32.const -5)"), "Number", -5),
        (put("Int32", "Small", "(i32.const 300)"), "Small", 300),
        (put("Int32", "Big", "(i32.const -7)"), "Big", -7),
        (put("Int64", "Big", "(i64.const -9223372036854775808)"), "Big", -(2**63)),
        (put("Int64", "Number", "(i64.const 7)"), "Number", 7),
        (put("Int64", "Ref", "(i64.const 200001)"), "Ref", 200001),
        (put("Float32", "Single", "(f32.const 1.5)"), "Single", 1.5),
        (put("Float32", "Double", "(f32.const 0.5)"), "Double", 0.5),
        (put("Float64", "Double", "(f64.const -2.25)"), "Double", -2.25),
        (put("QName", "Name", "{acme.example/t}", "{Seen}"), "Name", "t.Seen"),
        (put("QName", "Name", "{t}", "{Seen}"), "Name", "t.Seen"),
        (put("QName", "Name", "{sys}", "{Raw}"), "Name", "sys.Raw"),
        (put("QName", "Name", "{}", "{}"), "Name", None),
    ],
)
def test_what_is_put_is_in_the_intent_as_the_field_holds_it(stage, wat, code, field, expected):
    guest = wat()
    [(_, intent)] = stage.does(guest.key("t.Things", Id=1) + NEW + code, guest)
    assert intent.value[field] == expected
    assert intent.is_new


@pytest.mark.parametrize(
    ("code", "field"),
    [
        (put("String", "Number", "{5}"), "Number"),
        (put("Int64", "Small", "(i64.const 40000)"), "Small"),
        (put("Int32", "Text", "(i32.const 4)"), "Text"),
        (put("Int32", "Flag", "(i32.const 1)"), "Flag"),
        (put("Int64", "Ref", "(i64.const -1)"), "Ref"),
        (put("Bytes", "Text", "{ab}"), "Text"),
        (put("String", "Nope", "{ab}"), "Nope"),
        (put("Float64", "Big", "(f64.const 1)"), "Big"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_field(stage, wat, code, field):
    guest = wat()
    with pytest.raises(SchemaError) as caught:
        stage.does(guest.key("t.Things", Id=1) + NEW + code, guest)
    assert caught.value.field == field
    assert caught.value.storage == "t.Things"


def test_a_key_takes_its_fields_and_another_workspace(stage, wat):
    guest = wat()
    [(slot, intent)] = stage.does(guest.key("t.Things", Id=4, Part="left", WSID=12) + NEW, guest)
    assert intent.key == slot.rows.key(12, Id=4, Part="left")


def test_without_a_workspace_a_key_is_of_the_call_s(stage, wat):
    guest = wat()
    [(_, intent)] = stage.does(guest.key("t.Things", Id=4) + NEW, guest)
    assert intent.key.WSID == 7


def test_a_field_of_a_key_that_is_put_again_has_what_was_put_last(stage, wat):
    guest = wat()
    code = guest.key("t.Things", Id=4) + put_key("Int64", "Id", "(i64.const 5)") + NEW
    [(_, intent)] = stage.does(code, guest)
    assert intent.key.Id == 5


def test_a_key_may_be_changed_and_used_again_and_what_it_was_used_for_stays(stage, wat):
    guest = wat()
    code = guest.key("t.Things", Id=4) + NEW + put_key("Int64", "Id", "(i64.const 5)") + NEW
    assert [intent.key.Id for _, intent in stage.does(code, guest)] == [4, 5]


def test_a_field_that_holds_many_values_gets_one_more_with_each_put(stage, wat):
    guest = wat()
    code = (
        guest.key("sys.Logger", LogLevel=3)
        + put_key("String", "Tag", "{a}")
        + put_key("String", "Tag", "{b}")
        + NEW
        + put("String", "Message", "{hello}")
    )
    [(_, intent)] = stage.does(code, guest)
    assert intent.key.Tag == ("a", "b")


def test_a_misspelt_field_of_a_key_is_an_error_that_names_it(stage, wat):
    guest = wat()
    with pytest.raises(SchemaError, match="Idd") as caught:
        stage.does(guest.key("t.Things", Idd=4) + NEW, guest)
    assert caught.value.field == "Idd"


def test_an_update_begins_with_the_value_that_was_read(stage, wat):
    stage.put("t.Things", None, {"Id": 4}, Text="old", Number=3)
    guest = wat()
    code = (
        guest.key("t.Things", Id=4)
        + "(local.set $v (call $hostGetValue (local.get $k)))"
        + "(local.set $i (call $hostUpdateValue (local.get $k) (local.get $v)))"
        + put("Int32", "Number", "(i32.const 4)")
    )
    [(_, intent)] = stage.does(code, guest)
    assert (intent.value.Text, intent.value.Number, intent.is_new) == ("old", 4, False)


@pytest.mark.parametrize("storage", ["t.Things", "acme.example/t.Things"])
def test_a_storage_is_named_by_the_path_or_the_local_name_of_its_package(stage, wat, storage):
    guest = wat()
    [(slot, _)] = stage.does(guest.key(storage, Id=1) + NEW, guest)
    assert slot.storage == "t.Things"


@pytest.mark.parametrize("entity", ["acme.example/t.Seen", "t.Seen"])
def test_an_entity_is_named_by_the_path_or_the_local_name_of_its_package(stage, wat, entity):
    guest = wat()
    guest.add("See", guest.key("sys.View", entity, Day=1, Hour=2) + NEW)
    [(slot, intent)] = stage.run(stage.load(guest), "t.See").intents()
    assert (slot.entity, intent.key.Hour) == ("t.Seen", 2)


def test_the_only_entity_of_a_storage_may_be_left_out(stage, wat):
    guest = wat()
    [(slot, _)] = stage.does(guest.key("sys.Result") + NEW, guest)
    assert slot.entity == "t.Answer"


def test_where_a_storage_has_several_entities_one_has_to_be_named(stage, wat):
    guest = wat()
    guest.add("See", guest.key("sys.View", Day=1))
    with pytest.raises(UnknownStorageError, match=r"PROJECTOR t\.See.*sys\.View"):
        stage.run(stage.load(guest), "t.See")


def test_a_storage_without_entities_takes_any(stage, wat):
    guest = wat()
    code = guest.key("sys.Logger", "acme.example/t.Seen", LogLevel=1) + NEW + put("String", "Message", "{m}")
    [(slot, _)] = stage.does(code, guest)
    assert slot.storage == "sys.Logger"


@pytest.mark.parametrize("storage", ["sys.Http", "t.Nope", "Things"])
def test_a_storage_that_the_extension_does_not_use_is_refused_by_name(stage, wat, storage):
    guest = wat()
    with pytest.raises(UnknownStorageError, match=f"COMMAND t.Do.*{storage}"):
        stage.does(guest.key(storage), guest)


def test_a_package_that_the_app_does_not_have_is_refused_by_name(stage, wat):
    guest = wat()
    with pytest.raises(CodeError, match=r"acme.example/other.*does not have"):
        stage.does(guest.key("sys.View", "acme.example/other.Seen"), guest)


def test_each_result_of_a_query_is_sent_when_the_next_one_is_made(stage, wat):
    guest = wat()
    result = guest.key("sys.Result") + NEW
    guest.add("Ask", result + put("String", "Text", "{a}") + result + put("String", "Text", "{b}"))
    state = stage.run(stage.load(guest), "t.Ask")
    assert [value.Text for value in stage.memory["sys.Result"].applied] == ["a"]
    assert [intent.value.Text for _, intent in state.intents()] == ["b"]


def test_a_result_that_was_sent_takes_nothing_more(stage, wat):
    guest = wat()
    result = guest.key("sys.Result") + NEW
    again = result + "(local.set $v (local.get $i))" + result + "(local.set $i (local.get $v))"
    guest.add("Ask", again + put("String", "Text", "{a}"))
    with pytest.raises(CodeError, match="puts Text into a result after it has made the next one"):
        stage.run(stage.load(guest), "t.Ask")


def test_a_query_holds_only_the_result_that_was_not_sent_yet(stage, wat):
    guest = wat()
    guest.add("Ask", guest.key("sys.Result") + NEW * 100)
    engine = stage.load(guest)
    session = engine._session(engine._modules[0])
    engine._session = lambda _: session
    held = []

    def look():
        held.append(sum(each is not None for each in session._host._intents))

    stage.memory["sys.Result"].slow = look
    stage.run(engine, "t.Ask")
    assert set(held) == {1}
