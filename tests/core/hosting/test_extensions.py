"""Each extension of a deployed app, with its storages and its engine."""

from __future__ import annotations

from importlib.resources import files

import pytest

from statehold.hosting import NotProvidedError
from statehold.sdk import (
    CallContext,
    DeployError,
    FreedError,
    HostError,
    Operation,
    Scope,
    ScopeError,
    StateholdError,
)
from statehold.state import IntentLimitError, UnknownStorageError


def call_of(partition, extension, *, scope=Scope.COMMANDS, unit=None, number=0, **more):
    """Return a call of an extension with what it gives back as a list."""
    answers = []
    call = CallContext(
        scope=scope,
        workspace=1,
        extension=extension,
        unit=unit or partition.data.begin(partition.schemas),
        argument=partition.schemas["shop.Open"].rows.value(Number=number),
        result=answers.append,
        offset=1,
        **more,
    )
    return call, answers


def used(runner):
    return [str(slot) for slot in runner.uses.slots]


@pytest.fixture
def partition(host, shop):
    host.deploy(shop())
    with host.app("acme.shop").borrow() as partition:
        yield partition


def test_a_command_runs_and_what_it_asks_for_is_committed_with_its_event(partition):
    runner = partition.extension("shop.OpenBill")
    unit = partition.data.begin(partition.schemas)
    call, answers = call_of(partition, "shop.OpenBill", unit=unit, number=7)
    state = runner.state(call)
    runner.invoke(state, call)
    state.validate_intents()
    state.stage()
    event = unit.append("shop.OpenBill", 1, registered_at=1, argument=call.argument)
    unit.commit()
    state.settle()
    assert [answer.Total for answer in answers] == [1]
    (record,) = event.new_ids.values()
    found = runner.state(call_of(partition, "shop.OpenBill")[0])
    bill = found.must_exist(found.key("sys.Record", "shop.Bill", ID=record))
    assert (bill.Number, bill.sys_ID) == (7, record)
    assert record == found.must_exist(found.key("sys.Uniq", "shop.Bill", Number=7)).ID


def test_the_results_of_a_query_come_one_by_one_and_without_a_limit(partition):
    runner = partition.extension("shop.Totals")
    call, answers = call_of(partition, "shop.Totals", scope=Scope.QUERIES, number=5)
    state = runner.state(call, limit=0)
    runner.invoke(state, call)
    assert [answer.Total for answer in answers] == [0, 1, 2, 3, 4]
    state.stage()
    assert len(answers) == 5


def test_a_projector_s_bundle_is_committed_with_the_offset_it_has_come_to(partition):
    runner, data, schemas = partition.extension("shop.Fill"), partition.data, partition.schemas
    call, _ = call_of(partition, "shop.Fill", scope=Scope.PROJECTORS, unit=data.reader(schemas))

    def flush(state):
        unit = data.begin(schemas)
        state.stage(call_of(partition, "shop.Fill", scope=Scope.PROJECTORS, unit=unit)[0])
        unit.move_projector("shop.Fill", 0, 1)
        unit.commit()
        state.settle()

    state = runner.bundled_state(call, flush=flush)
    runner.invoke(state, call)
    state.apply_intents()
    assert (state.bundled, data.reader(schemas).projector_offset("shop.Fill")) == (1, 0)
    rows = list(state.read(state.prefix("sys.View", "shop.Turnover", Day=1)))
    assert [(key.Bill, value.Total) for key, value in rows] == [(1, 5)]
    assert (state.bundled, data.reader(schemas).projector_offset("shop.Fill")) == (0, 1)


def test_an_extension_uses_what_it_names_and_what_its_kind_implies(partition):
    assert used(partition.extension("shop.OpenBill")) == [
        "sys.Record(shop.Bill)",
        "sys.Result",
        "sys.Uniq(shop.Bill)",
    ]
    assert used(partition.extension("shop.Totals")) == [
        "sys.View(shop.Turnover)",
        "sys.Result",
        "sys.Response",
        "sys.QueryContext",
        "sys.Logger",
    ]
    assert used(partition.extension("shop.Fill")) == ["sys.View(shop.Turnover)", "sys.View(shop.Visits)"]
    with pytest.raises(HostError, match=r"no extension 'shop.Fil'.*Did you mean 'shop.Fill'"):
        partition.extension("shop.Fil")


def test_each_entity_has_the_operations_that_its_own_clause_names(partition):
    call, _ = call_of(partition, "shop.Fill", scope=Scope.PROJECTORS)
    state = partition.extension("shop.Fill").state(call)
    visits = state.key("sys.View", "shop.Visits", Day=1, Guest="me")
    state.new_value(visits, Count=1)
    with pytest.raises(ScopeError, match=r"may not GET sys.View\(shop.Visits\).*Add STATE\(sys.View\(shop"):
        state.get(visits)
    with pytest.raises(UnknownStorageError, match=r"sys.View\(shop.Other\) is not among.*Name it in STATE"):
        state.key("sys.View", "shop.Other")
    with pytest.raises(UnknownStorageError, match=r"sys.Logger is not among the storages it uses"):
        state.key("sys.Logger")


def test_calls_are_counted_also_where_a_storage_is_bound_to_the_call(partition):
    call, _ = call_of(partition, "shop.Fill", scope=Scope.PROJECTORS)
    runner = partition.extension("shop.Fill")
    for _ in range(2):
        state = runner.state(call)
        state.get(state.key("sys.View", "shop.Turnover", Day=1, Bill=1))
    counts = partition.counts["sys.View", "shop.Fill"]
    with pytest.raises(ScopeError):
        state.get(state.key("sys.View", "shop.Visits", Day=1, Guest="me"))
    assert (counts.calls(Operation.GET), counts.denied(Operation.GET)) == (2, 1)


def test_a_call_may_ask_for_no_more_changes_than_its_limit(partition):
    call, _ = call_of(partition, "shop.Fill", scope=Scope.PROJECTORS)
    with pytest.raises(IntentLimitError):
        partition.extension("shop.Fill").invoke(partition.extension("shop.Fill").state(call, limit=0), call)


def test_an_operator_narrows_also_what_is_implied(host, shop):
    host.deploy(shop(Storages={"sys.Result": {"scopes": {"INSERT": ["COMMANDS"]}}}))
    with host.app("acme.shop").borrow() as partition:
        runner = partition.extension("shop.Totals")
        call, answers = call_of(partition, "shop.Totals", scope=Scope.QUERIES, number=1)
        with pytest.raises(ScopeError, match="narrowed by the operator"):
            runner.invoke(runner.state(call), call)
        assert answers == []


def test_code_and_declarations_that_differ_are_told_with_all_else_that_is_wrong(host, shop):
    image = shop(
        more="EXTENSION ENGINE PYTHON (QUERY Nobody() RETURNS void;); EXTENSION ENGINE BUILTIN (QUERY Own() "
        "RETURNS void;);",
        code="@extension\ndef nowhere(call): pass",
        Storages={"shop.Missing": {}},
    )
    with pytest.raises(DeployError) as raised:
        host.deploy(image)
    told = "\n".join(raised.value.problems)
    assert "QUERY shop.Nobody is declared, and the code has no function for it" in told
    assert "nowhere" in told
    assert "QUERY shop.Own is declared, and the code has no function for it" in told
    assert "Storages.shop.Missing: the app has no such storage" in told
    assert host.apps() == ()


FOREIGN = """
  EXTENSION ENGINE BUILTIN (
    QUERY Collection() RETURNS any;
    SYNC PROJECTOR Registry AFTER INSERT ON CRecord INTENTS(Logger);
    JOB Sweep '@hourly';
  );
"""


def foreign():
    """Return a `sys` with builtin extensions that this host does not have."""
    text = files("statehold_sys").joinpath("sys.vsql").read_text()
    place = "DESCRIPTOR AppWorkspace ();"
    return text.replace(place, place + FOREIGN, 1)


def test_foreign_builtin_extensions_are_one_warning_and_refused_when_called(host, shop):
    version = host.deploy(shop(sys=foreign()))
    (warning,) = [text for text in version.warnings if "does not provide" in text]
    assert "BUILTIN extensions sys.Collection, sys.Registry, sys.Sweep" in warning
    assert "not run: sys.Registry, sys.Sweep" in warning
    assert [str(extension.name) for extension in version.not_run] == ["sys.Registry", "sys.Sweep"]
    with host.app("acme.shop").borrow() as partition:
        runner = partition.extension("sys.Collection")
        call, _ = call_of(partition, "sys.Collection", scope=Scope.QUERIES)
        assert not runner.is_provided
        with pytest.raises(NotProvidedError, match=r"QUERY sys.Collection is not provided by this host"):
            runner.invoke(runner.state(call), call)


def test_builtin_extensions_come_from_hooks(host, shop, monkeypatch):
    def collection(state, call):
        state.new_value(state.key("sys.Result"), Value={"of": call.workspace})

    functions = dict.fromkeys(("sys.Collection", "sys.Registry", "sys.Sweep"), collection)
    monkeypatch.setattr("statehold.loading.Catalog.functions", lambda _: functions)
    version = host.deploy(shop(sys=foreign()))
    assert (version.not_run, [text for text in version.warnings if "does not provide" in text]) == ((), [])
    with host.app("acme.shop").borrow() as partition:
        call, answers = call_of(partition, "sys.Collection", scope=Scope.QUERIES)
        runner = partition.extension("sys.Collection")
        state = runner.state(call)
        runner.invoke(state, call)
        state.stage()
    assert [answer.Value for answer in answers] == [{"of": 1}]


def test_a_state_and_a_runner_of_a_freed_version_say_so(host, shop):
    version = host.deploy(shop())
    with host.app("acme.shop").borrow() as partition:
        runner = partition.extension("shop.Fill")
        call, _ = call_of(partition, "shop.Fill", scope=Scope.PROJECTORS)
        state = runner.state(call)
        key = state.key("sys.View", "shop.Turnover", Day=1, Bill=1)
        host.deploy(shop("2"))
        assert state.get(key) is None
    report = version.wait_freed(60)
    assert (report.problems, report.survivors) == ((), ())
    for use in (
        lambda: state.get(key),
        lambda: runner.invoke(state, call),
        lambda: partition.extension("shop.Fill"),
    ):
        with pytest.raises(FreedError):
            use()


def test_what_an_engine_loaded_and_does_not_die_is_reported(host, shop):
    version = host.deploy(shop(code="import builtins\nbuiltins.kept_by_a_test = open_bill"))
    host.undeploy("acme.shop")
    try:
        report = version.wait_freed(60)
        assert any("open_bill" in survivor for survivor in report.survivors)
    finally:
        import builtins

        del builtins.kept_by_a_test


def test_an_extension_that_fails_says_which_and_where(host, shop):
    query = "EXTENSION ENGINE PYTHON (QUERY Bad() RETURNS void;);"
    host.deploy(shop(more=query, code="@extension\ndef bad(call): 1 / 0"))
    with host.app("acme.shop").borrow() as partition:
        runner = partition.extension("shop.Bad")
        call, _ = call_of(partition, "shop.Bad", scope=Scope.QUERIES)
        with pytest.raises(StateholdError, match=r"QUERY shop.Bad raised ZeroDivisionError"):
            runner.invoke(runner.state(call), call)
