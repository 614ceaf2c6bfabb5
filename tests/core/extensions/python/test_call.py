"""What a function gets: its argument, its storages by name, and nothing that it did not declare."""

from __future__ import annotations

import pytest

from statehold.extensions.python._compile import compile_call
from statehold.sdk import Principal, SchemaError, ScopeError
from statehold.state import ExistsError, NotExistsError, UnknownStorageError


@pytest.fixture
def stage(make):
    stage = make()
    stage.put("bills.Bills", "bills.PayBill", Number=1, Waiter="ann", Total=500)
    stage.put("bills.Bills", "bills.PayBill", Number=2, Waiter="bob")
    return stage


@pytest.fixture
def of(stage):
    """Return what makes the call of an extension."""

    def of(name, **call):
        definition = next(each for qname, each in stage.appdef.extensions.items() if str(qname) == name)
        compiled = compile_call(stage.appdef, definition, stage.context().uses[name])
        return compiled(stage.state(name, **call))

    return of


def asked(call):
    return [(intent.key, intent.value, intent.is_new) for _, intent in call._state.intents()]


def test_it_tells_what_the_extension_was_called_with(of):
    call = of("bills.PayBill", argument="argument", unlogged="secret", offset=9)
    assert (call.arg, call.unlogged, call.workspace, call.offset) == ("argument", "secret", 7, 9)
    assert call.principal == Principal(name="ann")
    assert call.event is None


def test_a_job_knows_when_it_was_due(of):
    assert of("bills.RefreshRates", time=1.5).time == 1.5


def test_get_finds_a_value_by_the_fields_of_its_key(of):
    bills = of("bills.PayBill").Bills
    assert bills.get(Number=1).Total == 500
    assert bills.get(Number=3) is None


def test_a_key_is_of_the_workspace_of_the_call_unless_it_names_another(of):
    bills = of("bills.PayBill").Bills
    assert bills.key(Number=1).WSID == 7
    assert bills.key(Number=1, WSID=8).WSID == 8
    assert bills.get(Number=1, WSID=8) is None


def test_a_key_can_be_used_again(of):
    bills = of("bills.PayBill").Bills
    key = bills.key(Number=1)
    assert bills.get(key) == bills.must_get(key) == bills.get(Number=1)


def test_what_must_exist_and_does_not_is_an_error_and_the_other_way_round(of):
    bills = of("bills.PayBill").Bills
    assert bills.must_get(Number=2).Waiter == "bob"
    bills.must_not_exist(Number=3)
    with pytest.raises(NotExistsError, match=r"Number=3\) does not exist"):
        bills.must_get(Number=3)
    with pytest.raises(ExistsError, match=r"Number=2\) exists already"):
        bills.must_not_exist(Number=2)
    with pytest.raises(ExistsError):
        bills.must_not_exist(bills.key(Number=2))


def test_many_are_answered_in_order(of):
    bills = of("bills.Bill").Bills
    found = bills.get_many(bills.key(Number=number) for number in (2, 3, 1, 2))
    assert [value and value.Waiter for value in found] == ["bob", None, "ann", "bob"]


def test_read_yields_keys_and_values(of):
    bills = of("bills.Bill").Bills
    assert [(key.Number, value.Waiter) for key, value in bills.read()] == [(1, "ann"), (2, "bob")]


def test_read_takes_the_first_fields_of_a_key_or_a_key(of):
    turnover = of("bills.Bill").View.Turnover
    assert list(turnover.read(Day=1)) == []
    assert list(turnover.read(turnover.key(Day=1, Bill=2))) == []
    with pytest.raises(SchemaError, match=r"KEY has no field 'Dy'"):
        turnover.read(Dy=1)


def test_insert_takes_the_fields_of_key_and_value_side_by_side(of):
    call = of("bills.PayBill")
    call.Bills.insert(Number=5, Waiter="eve")
    ((key, value, is_new),) = asked(call)
    assert (key.Number, value.Waiter, value.Total, is_new) == (5, "eve", None, True)


def test_insert_takes_a_key_and_the_fields_of_the_value(of):
    call = of("bills.PayBill")
    call.Bills.insert(call.Bills.key(Number=5), Waiter="eve").put(Total=3)
    ((key, value, _),) = asked(call)
    assert (key.Number, value.Waiter, value.Total) == (5, "eve", 3)


def test_a_field_that_key_and_value_share_is_set_in_both(of):
    call = of("bills.RefreshRates")
    call.Rates.insert(Currency="EUR", PerEuro=1)
    ((key, value, _),) = asked(call)
    assert key.Currency == value.Currency == "EUR"


@pytest.mark.parametrize(
    "change",
    [
        lambda bills: bills.update(Number=1, PaidIn="EUR"),
        lambda bills: bills.update(bills.key(Number=1), PaidIn="EUR"),
        lambda bills: bills.update(bills.get(Number=1), Number=1, PaidIn="EUR"),
        lambda bills: bills.update(bills.key(Number=1), bills.get(Number=1), PaidIn="EUR"),
        lambda bills: bills.update(bills.get(Number=1), bills.key(Number=1), PaidIn="EUR"),
    ],
)
def test_update_changes_the_fields_named_of_what_is_in_hand_or_is_looked_up(of, change):
    call = of("bills.PayBill")
    change(call.Bills)
    ((key, value, is_new),) = asked(call)
    assert (key.Number, value.Waiter, value.Total, value.PaidIn, is_new) == (1, "ann", 500, "EUR", False)


def test_update_of_what_is_not_there_is_an_error(of):
    with pytest.raises(NotExistsError):
        of("bills.PayBill").Bills.update(Number=3, PaidIn="EUR")


def test_update_of_a_value_of_another_storage_is_refused(of):
    with pytest.raises(SchemaError, match=r"bills.Bills: expected what this storage made, or fields by name"):
        of("bills.PayBill").Bills.update({"Number": 1}, PaidIn="EUR")


def test_what_is_no_key_of_the_storage_is_refused_with_the_fields_to_name(of):
    call = of("bills.PayBill")
    bills = call.Bills
    for wrong in ("7", call.Result.key()):
        for use in (bills.get, bills.must_get, bills.must_not_exist, bills.insert, bills.update):
            with pytest.raises(
                SchemaError, match=r"expected what this storage made.*Name the fields: Number"
            ):
                use(wrong)
    turnover = of("bills.Bill").View.Turnover
    assert list(turnover.read(turnover.key(Day=1, Bill=1))) == []
    with pytest.raises(SchemaError, match=r"Name the fields: Day=..., Bill=..."):
        turnover.read(1)


def test_an_update_by_a_value_alone_says_that_it_has_no_key(of, stage):
    stage.put("bills.Bills", "bills.PayBill", Number=1, Waiter="ann")
    bills = of("bills.PayBill").Bills
    with pytest.raises(SchemaError, match=r"field Number: .* got nothing\. A value does not know its key"):
        bills.update(bills.must_get(Number=1), PaidIn="EUR")


def test_a_key_and_fields_beside_it_are_refused(of):
    bills = of("bills.PayBill").Bills
    for use in (bills.get, bills.must_get, bills.must_not_exist):
        with pytest.raises(SchemaError, match=r"a key is given, and fields beside it: Number"):
            use(bills.key(Number=1), Number=1)
    turnover = of("bills.Bill").View.Turnover
    with pytest.raises(SchemaError, match=r"fields beside it: Day"):
        turnover.read(turnover.key(Day=1, Bill=1), Day=1)


def test_a_misspelt_field_is_told_with_the_nearest(of):
    bills = of("bills.PayBill").Bills
    for use in (bills.insert, bills.update):
        with pytest.raises(SchemaError) as caught:
            use(Number=1, Waitr="eve")
        assert str(caught.value) == (
            "bills.Bills: neither KEY nor VALUE has a field 'Waitr'. Did you mean 'Waiter'?"
        )
        with pytest.raises(SchemaError, match=r"has a field 'Numbr'. Did you mean 'Number'\?"):
            use(Numbr=1, Waiter="eve")
    with pytest.raises(SchemaError, match=r"KEY has no field 'Numbr'. Did you mean 'Number'\?"):
        bills.get(Numbr=1)


def test_a_value_of_the_wrong_type_is_told_as_it_is(of):
    bills = of("bills.PayBill").Bills
    with pytest.raises(SchemaError, match=r"field Total: expected money"):
        bills.insert(Number=1, Waiter="eve", Total="5")
    with pytest.raises(SchemaError, match=r"field Total: expected money"):
        bills.update(Number=1, Total="5")
    with pytest.raises(SchemaError, match=r"field Number: expected int64"):
        bills.insert(Number="1", Waiter="eve")


@pytest.mark.parametrize(
    ("extension", "use"),
    [
        ("bills.PayBill", lambda call: call.Bills.read()),
        ("bills.Bill", lambda call: call.Bills.insert(Number=1)),
        ("bills.Bill", lambda call: call.View.Turnover.update(Day=1)),
        ("bills.CountTurnover", lambda call: call.View.Other.get()),
        ("bills.CountTurnover", lambda call: call.View.Other.must_get(Day=1)),
        ("bills.CountTurnover", lambda call: call.View.Other.must_not_exist(Day=1)),
        ("bills.CountTurnover", lambda call: call.View.Other.get_many([])),
        ("bills.PayBill", lambda call: call.Response.get()),
    ],
)
def test_what_is_not_permitted_raises_the_error_of_the_facade(of, extension, use):
    with pytest.raises(ScopeError, match=f"{extension} may not"):
        use(of(extension))


@pytest.mark.parametrize(
    "use",
    [
        lambda call: call.Rates.get(Currency="EUR"),
        lambda call: call.View.Turnover.get(Day=1),
        lambda call: call.Http,
        lambda call: call.log.info("x"),
    ],
)
def test_a_storage_that_is_not_declared_tells_what_to_declare(of, use):
    with pytest.raises(UnknownStorageError, match=r"COMMAND bills.PayBill: .* is not among the storages"):
        use(of("bills.PayBill"))


def test_an_entity_that_is_not_declared_tells_what_to_declare(of):
    with pytest.raises(UnknownStorageError, match=r"sys.View\(bills.Other\) is not among the storages"):
        of("bills.Bill").View.Other.get(Day=1)


def test_a_response_that_is_not_declared_tells_what_to_declare(of):
    with pytest.raises(UnknownStorageError, match=r"sys.Response is not among"):
        of("bills.RefreshRates").respond(404)


def test_a_name_that_nothing_has_is_told_with_the_nearest(of):
    with pytest.raises(AttributeError, match=r"call has no 'Bils'. Did you mean 'Bills'\?"):
        _ = of("bills.PayBill").Bils
    with pytest.raises(AttributeError, match=r"call.View has no 'Turnovr'. Did you mean 'Turnover'\?"):
        _ = of("bills.Bill").View.Turnovr
    with pytest.raises(AttributeError, match=r"call has no 'xyz'. It has: Bills, Response, Result, arg"):
        _ = of("bills.PayBill").xyz
    assert not hasattr(of("bills.PayBill"), "__len__")


def test_respond_asks_for_an_answer(of):
    call = of("bills.PayBill")
    assert call.respond(404, "no such bill") is None
    ((_, value, is_new),) = asked(call)
    assert (value.StatusCode, value.ErrorMessage, is_new) == (404, "no such bill", True)


def test_the_log_takes_messages_as_logging_does(of):
    call = of("bills.RefreshRates")
    call.log.error("lost %d of %s", 3, "rates")
    call.log.warning("100%")
    call.log.info("found %(n)d", {"n": 1})
    call.log.debug(KeyError("x"))
    call.log.info("%d bills", "no")
    assert [(key.LogLevel, value.Message) for key, value, _ in asked(call)] == [
        (1, "lost 3 of rates"),
        (2, "100%"),
        (3, "found 1"),
        (4, "'x'"),
        (3, "%d bills ('no',)"),
    ]


def test_a_storage_tells_people_what_it_is(of):
    bills = of("bills.PayBill").Bills
    assert repr(bills) == "<bills.Bills of COMMAND bills.PayBill>"
    assert type(bills).__doc__ == (
        "bills.Bills: GET, INSERT, UPDATE. KEY (Number int64 NOT NULL), "
        "VALUE (Waiter text NOT NULL, Total money, PaidIn text)."
    )


def test_a_storage_is_made_once_per_call(of):
    call = of("bills.Bill")
    assert call.Bills is call.Bills
    assert call.View.Turnover is call.View.Turnover
    assert of("bills.Bill").Bills is not call.Bills
