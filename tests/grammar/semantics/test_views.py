"""VIEW."""

from __future__ import annotations

import pytest

from statehold_vsql.appdef import QName

_WORKSPACE = """ALTER WORKSPACE sys.AppWorkspaceWS (
  TABLE Bill INHERITS sys.CDoc ();
  ABSTRACT TABLE Base INHERITS sys.CDoc ();
  VIEW V (%s) AS RESULT OF %s;
  EXTENSION ENGINE PYTHON (
    PROJECTOR Fills AFTER INSERT ON Bill STATE(sys.View(V)) INTENTS(sys.Logger, sys.View(V));
    PROJECTOR Idle AFTER INSERT ON Bill STATE(sys.View(V)) INTENTS(sys.Logger);
    JOB Nightly '@daily' INTENTS(sys.View(V));
    JOB Other '@daily';
    COMMAND Pay;
  );
);"""
_GOOD = "A int32, B int64, C text, PRIMARY KEY ((A), B)"


def test_a_view_has_all_that_its_declaration_says(language) -> None:
    app = language.accepts(
        _WORKSPACE
        % ("R ref(Bill), A int32, V text(9) NOT NULL, D text, C int64, PRIMARY KEY ((A, R), C, D)", "Fills")
    )
    view = app.views[QName("bills", "V")]
    assert [f.name for f in view.partition_key] == ["A", "R"]
    assert [f.name for f in view.clustering_columns] == ["C", "D"]
    assert [str(f.field) for f in view.values] == ["V text(9) NOT NULL"]
    assert view.partition_key[1].references == (QName("bills", "Bill"),)
    assert view.result_of == QName("bills", "Fills")


def test_a_job_may_fill_a_view(language) -> None:
    language.accepts(_WORKSPACE % (_GOOD, "Nightly"))


@pytest.mark.parametrize(
    ("items", "codes"),
    [
        ("A int32, «A» text, B int8, PRIMARY KEY ((A), B)", ["duplicate-field"]),
        ("A int8, B int8, PRIMARY KEY ((A), B), PRIMARY KEY («(B), A»)", ["duplicate-primary-key"]),
        ("A int8, B int8, PRIMARY KEY ((A, «X»), B, «Y»)", ["undefined-field", "undefined-field"]),
        ("A text, B int8, PRIMARY KEY ((«X»), B)", ["undefined-field"]),
        ("A text, B int8, PRIMARY KEY ((«A»), B)", ["key-field-type"]),
        ("A bytes, B int8, PRIMARY KEY ((«A»), B)", ["key-field-type"]),
        ("WSID int64, B int8, PRIMARY KEY ((«WSID»), B)", ["reserved-field"]),
        ("A int8, B text, C int8, PRIMARY KEY ((A), «B», C)", ["key-field-type"]),
        ("A int8, B int8, PRIMARY KEY («A, B»)", ["no-partition-key"]),
        ("A int8, B int8, PRIMARY KEY («(A, B)»)", ["no-clustering-columns"]),
        ("A int8, B int8, PRIMARY KEY ((A), B, «A»)", ["duplicate-key-field"]),
        ("«A record», B int8, C int8, PRIMARY KEY ((B), C)", ["record-outside-sys"]),
        ("A «blob», B int8, C int8, PRIMARY KEY ((B), C)", ["blob-outside-table"]),
        ("A text(«0»), B int8, C int8, PRIMARY KEY ((B), C)", ["field-length"]),
        ("A ref(«Base»), B ref(«Nope»), PRIMARY KEY ((A), B)", ["reference-to-abstract", "undefined-table"]),
    ],
)
def test_what_is_wrong_with_a_view_is_reported(language, items: str, codes: list[str]) -> None:
    language.reports(_WORKSPACE % (items, "Fills"), *codes)


def test_a_field_that_is_like_none_is_told_with_those_there_are(language) -> None:
    key = "VIEW V (Day int32, Sum int64, PRIMARY KEY ((Day), «Xyz»)) AS RESULT OF P;"
    projector = "PROJECTOR P AFTER INSERT ON sys.CRecord INTENTS(sys.View(V))"
    text = f"WORKSPACE W ({key} EXTENSION ENGINE WASM ({projector}));"
    assert language.report(text, "undefined-field") == "view bills.V has no field Xyz | it has Day, Sum"


def test_a_view_without_a_key_is_reported(language) -> None:
    language.reports((_WORKSPACE % ("A int32", "Fills")).replace("VIEW V", "«VIEW V»"), "no-primary-key")


@pytest.mark.parametrize(
    ("filler", "code"),
    [
        ("«Nope»", "undefined-projector"),
        ("«Pay»", "undefined-projector"),
        ("«Idle»", "view-without-intent"),
        ("«Other»", "view-without-intent"),
    ],
)
def test_what_fills_a_view_has_an_intent_for_it(language, filler: str, code: str) -> None:
    language.reports(_WORKSPACE % (_GOOD, filler), code)


def test_views_of_sys_may_hold_records(language) -> None:
    sys = """ABSTRACT WORKSPACE Workspace (
      VIEW V (A int8, B int8, R record NOT NULL, PRIMARY KEY ((A), B)) AS RESULT OF P;
      ABSTRACT TABLE CRecord ();
      EXTENSION ENGINE BUILTIN (PROJECTOR P AFTER INSERT ON CRecord INTENTS(View(V)));
    );
    EXTENSION ENGINE BUILTIN (STORAGE View (INSERT SCOPE(PROJECTORS)) ENTITY VIEW);"""
    app = language.accepts("", sys=sys)
    assert app.views[QName("sys", "V")].values[0].record
    (found,) = language.compile("", sys=sys.replace("((A), B)", "((A), B, R)")).diagnostics
    assert found.code == "key-field-type"
