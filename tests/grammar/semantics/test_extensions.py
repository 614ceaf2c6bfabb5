"""COMMAND, QUERY, PROJECTOR, JOB and FUNCTION."""

from __future__ import annotations

import pytest

from statehold_vsql import DataType, ExtensionEngine, ExtensionKind
from statehold_vsql.appdef import ANY, ArgumentDef, QName, TriggerAction, TriggerDef

_WORKSPACE = """ALTER WORKSPACE sys.AppWorkspaceWS (
  TAG G; TYPE P (x int);
  TABLE Bill INHERITS sys.CDoc (); TABLE Order INHERITS sys.ODoc (); ABSTRACT TABLE Base INHERITS sys.CDoc ();
  TABLE Line INHERITS sys.ORecord ();
  EXTENSION ENGINE PYTHON (COMMAND Pay; %s);
);"""


def test_extensions_have_all_that_their_declarations_say(language) -> None:
    app = language.accepts(
        _WORKSPACE
        % """COMMAND C(P, UNLOGGED Bill)
          STATE(sys.AppSecret) INTENTS(sys.Record(Bill)) RETURNS any WITH Tags=(G);
        QUERY Q(any) STATE(sys.Http) RETURNS P WITH Comment='all there is';
        SYNC PROJECTOR S AFTER INSERT OR UPDATE ON (Bill, sys.WRecord) OR AFTER EXECUTE ON Pay
          OR AFTER EXECUTE WITH PARAM ON P INCLUDING ERRORS;
        JOB J '0 3 * * *'"""
    )
    get = {name.name: extension for name, extension in app.extensions.items() if name.package == "bills"}
    command, query, projector, job = get["C"], get["Q"], get["S"], get["J"]
    assert (command.kind, command.engine) == (ExtensionKind.COMMAND, ExtensionEngine.PYTHON)
    assert command.workspace == QName("sys", "AppWorkspaceWS")
    assert (command.parameter, command.unlogged) == (QName("bills", "P"), QName("bills", "Bill"))
    assert command.returns == ANY
    assert [use.storage for use in command.state] == [QName("sys", "AppSecret")]
    assert command.intents[0].entities == (QName("bills", "Bill"),)
    assert command.tags == (QName("bills", "G"),)
    assert (query.parameter, query.returns, query.comment) == (ANY, QName("bills", "P"), "all there is")
    assert projector.sync
    assert projector.including_errors
    assert projector.triggers == (
        TriggerDef(
            actions=(TriggerAction.INSERT, TriggerAction.UPDATE),
            targets=(QName("bills", "Bill"), QName("sys", "WRecord")),
        ),
        TriggerDef(actions=(TriggerAction.EXECUTE,), targets=(QName("bills", "Pay"),)),
        TriggerDef(actions=(TriggerAction.EXECUTE_WITH_PARAM,), targets=(QName("bills", "P"),)),
    )
    assert job.schedule == "0 3 * * *"


def test_functions_are_in_the_application(language) -> None:
    app = language.accepts("EXTENSION ENGINE WASM (FUNCTION F(TableRow, State int) RETURNS boolean);")
    function = app.extensions[QName("bills", "F")]
    assert function.kind is ExtensionKind.FUNCTION
    assert function.arguments == (
        ArgumentDef("", QName("bills", "TableRow")),
        ArgumentDef("State", DataType.INT32),
    )
    assert function.result is DataType.BOOL


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("COMMAND C(«X», UNLOGGED «Y») RETURNS «Z»", ["undefined-type"] * 3),
        ("QUERY Q(«X») RETURNS «Y»", ["undefined-type"] * 2),
        ("QUERY Q(«Bill») RETURNS «Bill»", ["undefined-type"] * 2),
        ("«QUERY Q»(P)", ["query-without-returns"]),
        ("COMMAND C WITH Tags=(«X», G)", ["undefined-tag"]),
        ("QUERY Q RETURNS void WITH Tags=(«X»)", ["undefined-tag"]),
        ("«JOB J»", ["job-without-schedule"]),
        ("JOB J «'every day'»", ["invalid-schedule"]),
        ("JOB J «'0 0 3 * * *'»", ["invalid-schedule"]),
        ("PROJECTOR R «CRON '1 0 * * *'»", ["scheduled-projector"]),
        ("PROJECTOR R AFTER EXECUTE ON («X», Pay, «Bill»)", ["undefined-command"] * 2),
        ("PROJECTOR R AFTER EXECUTE WITH PARAM ON («X», «Bill», Order, P)", ["undefined-type"] * 2),
        (
            "PROJECTOR R AFTER INSERT ON («X», «P», «Base», «sys.CDoc»)",
            ["undefined-table"] * 2 + ["abstract-entity"] * 2,
        ),
        ("PROJECTOR R AFTER INSERT OR UPDATE ON («Order», «Line»)", ["insert-only"] * 2),
        ("PROJECTOR R AFTER ACTIVATE ON «Order»", ["insert-only"]),
    ],
)
def test_what_is_wrong_with_an_extension_is_reported(language, text: str, codes: list[str]) -> None:
    language.reports(_WORKSPACE % text, *codes)


@pytest.mark.parametrize(
    "text",
    [
        "COMMAND C(any, UNLOGGED void) RETURNS void",
        "COMMAND C(sys.Raw) RETURNS Bill",
        "QUERY Q(void) RETURNS any",
        "PROJECTOR R AFTER INSERT ON (Order, Line)",
        "PROJECTOR R AFTER INSERT OR UPDATE OR ACTIVATE OR DEACTIVATE ON (sys.CRecord, sys.WRecord)",
        "PROJECTOR R AFTER EXECUTE WITH PARAM ON (sys.ODoc, sys.Raw)",
        "PROJECTOR R AFTER UPDATE ON sys.AppWorkspace",
    ],
)
def test_what_is_right_with_an_extension_is_accepted(language, text: str) -> None:
    language.accepts(_WORKSPACE % text)


def test_jobs_are_for_the_workspaces_of_the_application_only(language) -> None:
    language.reports("WORKSPACE W (EXTENSION ENGINE WASM («JOB J» '@daily'));", "job-outside-app-workspace")


def test_a_wrong_schedule_says_what_is_wrong(language) -> None:
    told = language.report(_WORKSPACE % "JOB J «'0 24 * * *'»", "invalid-schedule")
    assert told == "the schedule of JOB J: hour `24`: values are from 0 to 23 | "
