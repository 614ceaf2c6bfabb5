"""What a name stands for, and where it may be used."""

from __future__ import annotations

import pytest

_BASE = """ABSTRACT WORKSPACE Base (TABLE T INHERITS sys.CDoc (); TYPE P (x int); ROLE R; TAG G);
ABSTRACT WORKSPACE Middle INHERITS Base ();
"""


def test_names_are_found_in_inherited_workspaces_however_far(language) -> None:
    language.accepts(
        _BASE + "WORKSPACE W INHERITS Middle (EXTENSION ENGINE WASM (COMMAND C(P, UNLOGGED T)));"
    )


def test_names_of_another_workspace_are_not_visible(language) -> None:
    told = language.report(_BASE + "WORKSPACE W (EXTENSION ENGINE WASM (COMMAND C(«P»)));", "undefined-type")
    assert "declared in workspace bills.Base, which workspace bills.W does not inherit" in told


def test_names_of_enclosing_workspaces_are_not_visible(language) -> None:
    language.reports(
        "WORKSPACE A (TYPE P (x int); WORKSPACE B (EXTENSION ENGINE WASM (COMMAND C(«P»))));",
        "undefined-type",
    )


def test_tags_are_for_their_own_workspace_only(language) -> None:
    language.reports(
        _BASE + "WORKSPACE W INHERITS Base (TABLE U INHERITS sys.CDoc () WITH Tags=(«G»,"
        " «sys.WorkspaceOwnerFuncTag»));",
        *("undefined-tag", "undefined-tag"),
    )
    language.accepts("WORKSPACE W (TAG G; TABLE U INHERITS sys.CDoc () WITH Tags=(G));")


def test_what_an_altered_workspace_gets_is_visible_in_the_whole_package(language) -> None:
    language.accepts(
        "ALTER WORKSPACE sys.AppWorkspaceWS (TYPE P (x int));"
        "WORKSPACE W (EXTENSION ENGINE WASM (COMMAND C(P)));"
    )


def test_the_own_package_may_be_named(language) -> None:
    language.accepts("WORKSPACE W (TYPE P (x int); EXTENSION ENGINE WASM (COMMAND C(bills.P)));")


def test_quotes_make_no_other_name(language) -> None:
    language.accepts('WORKSPACE W (TYPE "P" (x int); EXTENSION ENGINE WASM (COMMAND C(P)));')


def test_names_are_unique_in_a_package_over_all_kinds_and_workspaces(language) -> None:
    told = language.report(
        "WORKSPACE W (TYPE Same (x int));\nWORKSPACE V («TABLE Same» INHERITS sys.CDoc ());", "duplicate-name"
    )
    assert "type Same is declared at bills.vsql:1:14" in told
    language.reports("WORKSPACE W («TABLE W» INHERITS sys.CDoc ());", "duplicate-name")


def test_descriptors_and_nested_tables_take_part_in_that(language) -> None:
    language.reports(
        "WORKSPACE W (DESCRIPTOR (); «TABLE WDescriptor» INHERITS sys.CDoc (i TABLE Item (), j"
        " «TABLE Item» ()));",
        *("duplicate-name", "duplicate-name"),
    )


def test_a_second_declaration_makes_no_errors_where_it_is_used(language) -> None:
    language.reports(
        "WORKSPACE W (TYPE Same (x int); EXTENSION ENGINE WASM («COMMAND Same»; PROJECTOR P"
        " AFTER EXECUTE ON Same));",
        "duplicate-name",
    )


def test_names_differ_by_case(language) -> None:
    language.accepts("WORKSPACE W (TYPE p (x int); TYPE P (x int));")


def test_a_name_that_differs_only_by_case_is_the_first_to_be_meant(language) -> None:
    told = language.report(
        "WORKSPACE W (TYPE payment (x int); EXTENSION ENGINE WASM (COMMAND C(«Payment»)));", "undefined-type"
    )
    assert told.endswith("did you mean `payment`?")


def test_other_packages_are_reached_by_their_imports(language) -> None:
    air = "ABSTRACT WORKSPACE AirWS (TYPE Order (x int));"
    text = "WORKSPACE W INHERITS air.AirWS (EXTENSION ENGINE WASM (COMMAND C(air.Order, UNLOGGED «Order»)));"
    application = "IMPORT SCHEMA 'example.com/airsbp' AS air; APPLICATION bills (USE air);"
    told = language.report(
        text, "undefined-type", others={"example.com/airsbp": air}, application=application
    )
    assert told.endswith("did you mean `air.Order`?")


def test_a_missing_import_is_reported_at_its_first_use_in_the_text(language) -> None:
    told = language.report(
        "WORKSPACE W (EXTENSION ENGINE WASM (COMMAND C(«air.P»)));\n"
        "WORKSPACE V INHERITS air.W (TYPE T (air.Q));",
        "undefined-package",
    )
    assert told.startswith("package air is not imported by example.com/bills")


def test_an_import_with_another_name_is_reached_by_its_own_as_well(language) -> None:
    language.accepts(
        "WORKSPACE W INHERITS airsbp.AirWS ();",
        others={"example.com/airsbp": "ABSTRACT WORKSPACE AirWS ();"},
        application="IMPORT SCHEMA 'example.com/airsbp' AS air; APPLICATION bills (USE air);",
    )


@pytest.mark.parametrize(
    ("text", "code", "meant"),
    [
        ("TYPE T (a «string»)", "undefined-type", "text"),
        ("TYPE T (a «Date»)", "undefined-type", "timestamp"),
        ("EXTENSION ENGINE WASM (QUERY Q STATE(«http») RETURNS any)", "undefined-storage", "sys.Http"),
        ("ABSTRACT TABLE T INHERITS «CDocument» ()", "undefined-table", "sys.CDoc"),
    ],
)
def test_words_of_other_languages_and_names_of_sys_are_understood(language, text, code, meant) -> None:
    assert f"did you mean `{meant}`?" in language.report(f"WORKSPACE W ({text});", code)
