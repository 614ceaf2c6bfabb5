"""Extensions are run one at a time, in the state that a test gives, with the enforcement of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from statehold.events import ConflictError
from statehold.extensions import CodeError
from statehold.sdk import Principal, SchemaError, ScopeError, StateholdError, StorageError
from statehold.state import NotExistsError, UnknownStorageError
from statehold.testing.extensions import HttpRequest, Insert, Project, Update

TEA = {"Shelf": "tea", "Name": "Assam"}


def put_tea(app, amount=7):
    app.put("Stock", **TEA, Amount=amount, Note="good")


def test_a_command_asks_for_changes_and_returns_its_result(app):
    put_tea(app)
    run = app.command("Sell", {**TEA, "Amount": 2})
    run.expect(
        Update("Stock", **TEA, Amount=5, Note=None),
        Insert("Record.Sale", sys_ID=1, Code="Assam", Amount=2),
    )
    assert run.result == {"Left": 5}
    assert (run.status, run.message, run.log) == (200, "", ())


def test_an_answer_other_than_200_is_there_to_look_at_and_nothing_can_be_applied(app):
    put_tea(app)
    run = app.command("Sell", {**TEA, "Amount": 9})
    assert (run.status, run.message, run.result) == (409, "only 7 left", None)
    run.expect()
    with pytest.raises(AssertionError, match=r"COMMAND shop.Sell answered 409 \(only 7 left\)"):
        run.commit()


def test_nothing_is_applied_before_it_is_said(app):
    put_tea(app)
    app.command("Sell", {**TEA, "Amount": 2})
    assert app.command("Sell", {**TEA, "Amount": 2}).result == {"Left": 5}


def test_what_was_applied_is_seen_by_the_next_call_and_the_event_by_projectors(app):
    put_tea(app)
    event = app.command("Sell", {**TEA, "Amount": 2}).commit()
    assert app.rows("Stock") == [{**TEA, "Amount": 5}]
    run = app.projector("Count", event)
    run.expect(Insert("View.Sales", Year=2026, Month=1, Amount=2))
    run.commit()
    assert [each["Left"] for each in app.query("Find", {**TEA, "Amount": 0}).results] == [5, 2]


def test_an_event_can_be_made_up_with_the_records_that_it_made_and_changed(app):
    event = app.event("Sell", {**TEA, "Amount": 3}, insert=[("Sale", {"Code": "x", "Amount": 3})])
    assert (event.name, event.argument.Amount, event.cuds[0].is_new) == ("shop.Sell", 3, True)
    app.projector("Count", event).expect(Insert("View.Sales", Year=2026, Month=1, Amount=3))
    changed = app.event("Sell", TEA | {"Amount": 1}, update=[(event.cuds[0].id, {"Amount": 9})])
    app.projector("Count", changed).expect(Insert("View.Sales", Year=2026, Month=1, Amount=9))


def test_an_event_of_a_command_that_failed_has_its_error(app):
    event = app.event("Sell", {**TEA, "Amount": 3}, error="sold out")
    assert (event.error.message, event.error.command, event.cuds) == ("sold out", "shop.Sell", ())


def test_views_and_records_are_given_and_records_tell_their_ids(app):
    app.put("View.Sales", Year=2026, Month=1, Amount=40)
    sale = app.record("Sale", Code="x", Amount=2)
    line = app.record("SaleLine", sys_ParentID=sale, sys_Container="Lines", Text="one")
    assert line == sale + 1
    event = app.event("Sell", {**TEA, "Amount": 1}, update=[(sale, {"Amount": 2, "Code": "y"})])
    app.projector("Count", event).expect(Insert("View.Sales", Year=2026, Month=1, Amount=42))


def test_a_query_streams_its_results(app):
    for number in range(3):
        app.put("Stock", Shelf="tea", Name=f"n{number}", Amount=number)
    app.put("Stock", Shelf="other", Name="n", Amount=9)
    run = app.query("Find", {"Shelf": "tea", "Name": "", "Amount": 0})
    assert run.results == ({"Left": 0}, {"Left": 1}, {"Left": 2})
    with pytest.raises(AssertionError, match=r"QUERY shop.Find has 3 results, and one was expected"):
        _ = run.result


def test_an_extension_of_any_type_takes_and_returns_it(app):
    assert app.query("Ask", {"a": [1, {"b": b"x"}]}).result == {"a": (1, {"b": b"x"})}


def test_a_job_runs_in_the_workspace_of_the_app_with_http_mail_secrets_and_a_clock(app):
    app.secrets["Bank"] = "https://bank.test/"
    app.http.reply("https://bank.test/", "EUR", method="POST", status=201)
    run = app.job("Fetch")
    mail = {"Host": "h", "Port": 1, "From": "a@b.test", "To": ("c@d.test",), "Subject": "s"}
    run.expect(Insert("View.Rates", Bank=1, Currency="EUR", Rate=201.0), Insert("SendMail", **mail))
    assert run.log == (("info", "sent: True None"),)
    assert app.mail.sent == [mail]
    run.commit()
    assert app.mail.sent == [mail, mail]
    assert app.http.requests == [
        HttpRequest(method="POST", url="https://bank.test/", body=b"?", headers=("A: b",))
    ]


def test_http_and_mail_fail_on_demand(app):
    app.secrets["Bank"] = "https://bank.test/"
    app.http.fail("https://bank.test/", "no route", method="POST")
    app.clock.advance(11)
    assert app.job("Fetch").log == (("error", "no route at 1700000011"),)
    assert app.job("Fetch", time=5).log == (("error", "no route at 5"),)
    app.http.reply("https://bank.test/", {"json": 1}, method="POST")
    app.mail.error = "mailbox full"
    with pytest.raises(SchemaError, match="Currency"):
        app.job("Fetch")
    app.http.reply("https://bank.test/", b"EUR", method="POST")
    assert app.job("Fetch").log == (("info", "sent: False mailbox full"),)


def test_a_request_that_nobody_answers_is_told(app):
    app.secrets["Bank"] = "https://bank.test/"
    app.http.reply("https://bank.test/", "get")
    with pytest.raises(
        StorageError,
        match=r"nobody said what POST https://bank.test/ answers; known is GET https://bank.test/. Say so",
    ):
        app.job("Fetch")


def test_a_secret_that_is_not_set_is_not_there(app, folder):
    with pytest.raises(NotExistsError):
        app.job("Fetch")
    with Project(folder, secrets={"Bank": "https://b.test/"}) as project, project.stage() as stage:
        assert stage.secrets == {"Bank": "https://b.test/"}


def test_the_argument_that_is_not_logged_and_the_offset_are_given(app):
    app.command("Remember", unlogged={**TEA, "Amount": 1}).expect(
        Insert("Stock", Shelf="x", Name="Assam", Amount=2)
    )


def test_one_function_can_be_run_in_place_of_the_project_s(app):
    def asks(call):
        yield {"Left": int(call.principal.name)}
        yield {"Left": call.workspace}

    run = app.query("Find", {**TEA, "Amount": 1}, function=asks, principal=Principal(name="7"), workspace=8)
    assert run.results == ({"Left": 7}, {"Left": 8})


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda call: call.Stock.insert(Shelf="a", Name="b", Amount=1), ScopeError),
        (lambda call: call.View.Rates, UnknownStorageError),
        (lambda call: call.Http.read(Url="x"), UnknownStorageError),
        (lambda call: call.Stock.get(Shelf="tea"), SchemaError),
        (lambda call: 1 / 0, CodeError),
        (lambda call: {"Lft": 1}, SchemaError),
    ],
)
def test_what_a_host_would_refuse_fails_here_with_the_same_error(app, function, error):
    with pytest.raises(error):
        app.query("Find", {**TEA, "Amount": 1}, function=function)


def test_what_the_row_store_would_refuse_fails_here_as_well(app):
    put_tea(app)
    app.record("Sale", Code="Assam")
    with pytest.raises(ConflictError):
        app.command("Sell", {**TEA, "Amount": 1})


def test_a_wrong_argument_is_told_as_a_host_does(app):
    with pytest.raises(SchemaError, match=r"shop.SellParams: VALUE has no field 'Amont'"):
        app.command("Sell", {**TEA, "Amont": 1})
    with pytest.raises(StateholdError, match="expected no argument"):
        app.command("Remember", TEA)


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        (lambda app: app.command("Sel"), r"'Sel' is nothing. Did you mean 'Sell'\?"),
        (lambda app: app.command("Find"), "expected the name of a COMMAND, and 'Find' is a QUERY"),
        (lambda app: app.put("Stok", Shelf="x"), r"no storage 'Stok'. Did you mean 'Stock'\?"),
        (lambda app: app.put("Result"), "Result has no rows that could be put"),
        (lambda app: app.record("Sal"), r"no storage 'Record.Sal'. Did you mean 'Record.Sale'\?"),
    ],
)
def test_a_wrong_name_in_a_test_is_told(app, use, problem):
    with pytest.raises(StateholdError, match=problem):
        use(app)


def test_workspaces_are_made_of_the_right_kind(app):
    first, other = app.workspace(), app.workspace("ShopWS", Name="other", Open=True)
    assert app.workspace() == first != other
    app.put("Stock", WSID=other, **TEA, Amount=1)
    assert app.command("Sell", {**TEA, "Amount": 1}, workspace=other).result == {"Left": 0}
    app.put("View.Rates", Bank=1, Currency="EUR", Rate=1)
    with pytest.raises(StateholdError, match=r"kind of workspace that can be made, got 'shop.Nope'"):
        app.workspace("Nope")


def test_a_stage_is_empty_again_for_the_next_test(app):
    assert app.rows("Stock") == []


def test_a_project_whose_code_does_not_fit_says_so_when_its_code_is_run(folder, tmp_path):
    package = tmp_path / "acme.shop" / "image" / "pkg" / "acme.example" / "shop"
    package.mkdir(parents=True)
    (tmp_path / "acme.shop" / "descriptor.json").write_text("{}")
    text = (folder / "image" / "pkg" / "acme.example" / "shop" / "shop.vsql").read_text()
    (package / "shop.vsql").write_text(text)
    with Project(tmp_path / "acme.shop") as project, project.stage() as stage:
        with pytest.raises(
            StateholdError, match=r"COMMAND shop.Sell is declared, and the code has no function"
        ):
            stage.command("Sell", {**TEA, "Amount": 1})
        assert stage.query("Ask", {"a": 1}, function=lambda call: call.arg).result == {"a": 1}


def test_a_project_that_could_not_be_deployed_is_refused(folder, tmp_path):
    package = tmp_path / "acme.shop" / "image" / "pkg" / "acme.example" / "shop"
    package.mkdir(parents=True)
    (tmp_path / "acme.shop" / "descriptor.json").write_text('{"Storages": {"shop.Nope": {}}}')
    (package / "shop.vsql").write_text("APPLICATION shop();")
    with pytest.raises(StateholdError, match=r"Storages.shop.Nope: the app has no such storage"):
        Project(tmp_path / "acme.shop")


def test_the_time_of_a_call_is_that_of_the_clock_and_of_a_projector_that_of_its_event(app):
    app.clock.time = 1_700_000_000.0
    seen = []
    sale = app.event("Sell", {**TEA, "Amount": 1})
    app.clock.advance(60)
    see = lambda call: seen.append(call.time)  # noqa: E731 - shorter so
    app.command("Sell", {**TEA, "Amount": 1}, function=see)
    app.query("Find", {**TEA, "Amount": 1}, function=see)
    app.projector("Count", sale, function=see)
    app.job("Fetch", function=see)
    assert seen == [1_700_000_060.0, 1_700_000_060.0, 1_700_000_000.0, 1_700_000_060.0]


def test_rows_of_storages_views_and_tables_can_be_looked_at(app):
    put_tea(app)
    app.put("Stock", Shelf="low", Name="Sencha", Amount=1)
    sale = app.command("Sell", {**TEA, "Amount": 2}).commit()
    app.projector("Count", sale).commit()
    app.record("SaleLine", sys_ParentID=sale.cuds[0].id, sys_Container="Lines", Text="x")
    assert app.rows("Stock", Shelf="low") == [{"Shelf": "low", "Name": "Sencha", "Amount": 1}]
    assert app.rows("Stock", WSID=99) == []
    assert app.rows("View.Sales", Year=2026) == [{"Year": 2026, "Month": 1, "Amount": 2}]
    assert app.rows("View.Sales", Year=2026, Amount=3) == []
    assert [(row["Code"], row["Amount"]) for row in app.rows("Record.Sale")] == [("Assam", 2)]
    assert [row["Text"] for row in app.rows("Record.SaleLine", sys_ParentID=sale.cuds[0].id)] == ["x"]
    with pytest.raises(SchemaError, match=r"Year"):
        app.rows("View.Sales", Month=1)
    with pytest.raises(StateholdError, match=r"Http has no rows that could be looked at"):
        app.rows("Http")


def test_workspaces_of_one_kind_can_be_made_one_after_the_other(app):
    made = {app.workspace(), *(app.workspace("ShopWS", Name=name) for name in "ab")}
    assert len(made) == 3


def test_what_ran_is_committed_once_and_before_anything_else_happens(app):
    put_tea(app)
    first, second = (app.command("Sell", {**TEA, "Amount": 1}) for _ in range(2))
    event = first.commit()
    with pytest.raises(AssertionError, match=r"COMMAND shop.Sell has been committed: run it again"):
        first.commit()
    with pytest.raises(
        AssertionError, match=r"COMMAND shop.Sell ran before the last event was made: run it again"
    ):
        second.commit()
    # Of what writes nothing into the log, the order is free.
    counts = [app.projector("Count", event) for _ in range(2)]
    for count in reversed(counts):
        count.commit()


def test_a_projector_is_not_run_for_what_does_not_wake_it(app):
    event = app.event("Remember", insert=[("Sale", {"Code": "x"})])
    with pytest.raises(
        StateholdError, match=r"event of shop.Remember does not wake PROJECTOR shop.Count, .*shop.vsql:"
    ):
        app.projector("Count", event)
    with pytest.raises(TypeError, match=r"expected an event, of event\(...\) or .* got None"):
        app.projector("Count", app.query("Ask", {"a": 1}).commit())


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        (lambda app: app.command("Sell", 5), "COMMAND shop.Sell: expected as argument a dict .* got 5"),
        (
            lambda app: app.command("Remember", TEA),
            r"expected no argument, .* It takes unlogged=\{...\}, a shop.SellP",
        ),
        (
            lambda app: app.command("Sell", {**TEA, "Amount": 1}, unlogged=TEA),
            r"expected no unlogged argument, .* It takes arg=.{5}, a shop.SellP",
        ),
        (lambda app: app.put("Record.Sale", Code="x"), r"has no rows .* Records are made by record\(...\)"),
        (lambda app: app.put("Http", Url="x"), r"is said by http.reply"),
        (lambda app: app.module("nope"), r"the code of acme.shop has no module 'shop.extensions.nope'"),
        (lambda app: app.workspace("ShopW"), r"Did you mean 'shop.ShopWS'"),
    ],
)
def test_what_a_test_says_wrongly_is_told_with_the_way_to_mend_it(app, use, problem):
    with pytest.raises(StateholdError, match=problem):
        use(app)


def test_an_expectation_is_a_change(app):
    with pytest.raises(TypeError, match=r"expected Insert\(...\) or Update\(...\), got \{'Code': 'x'\}"):
        app.query("Ask", {"a": 1}).expect({"Code": "x"})


def test_a_module_of_the_code_can_be_tested_by_itself(app):
    sales = app.module("sales")
    assert sales is app.module("shop.extensions.sales")
    assert callable(sales.sell)


def test_a_traceback_has_the_lines_of_the_test_and_of_the_application(app):
    with pytest.raises(NotExistsError) as caught:
        app.command("Sell", {**TEA, "Amount": 1})
    files = [
        Path(entry.path).name
        for entry in caught.traceback
        if "__tracebackhide__" not in entry.frame.f_globals
    ]
    assert files == ["test_stage.py", "sales.py"]
