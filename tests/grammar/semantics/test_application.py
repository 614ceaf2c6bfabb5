"""APPLICATION, IMPORT SCHEMA and USE."""

from __future__ import annotations

import pytest

from statehold_vsql import compile_app

_AIR = {"example.com/airsbp": "ABSTRACT WORKSPACE AirWS ();"}


def test_the_application_names_its_packages(language) -> None:
    app = language.accepts(
        "WORKSPACE W INHERITS air.AirWS ();",
        others=_AIR,
        application="IMPORT SCHEMA 'example.com/airsbp' AS air; APPLICATION shop (USE air);",
    )
    assert app.name == "shop"
    assert dict(app.packages) == {"sys": "sys", "bills": "example.com/bills", "air": "example.com/airsbp"}


def _codes(packages) -> list[str]:
    return [f"{d.package}:{d.code}" for d in compile_app(packages).diagnostics]


def test_without_an_application_there_is_none() -> None:
    assert _codes({"a": {"a.vsql": ""}}) == [":no-application"]
    assert _codes({}) == [":no-application"]


def test_a_second_application_is_reported(language) -> None:
    compiled = language.compile("APPLICATION other ();")
    (found,) = compiled.diagnostics
    assert (found.code, found.file, found.line, found.column) == ("duplicate-application", "app.vsql", 1, 1)
    assert "other at bills.vsql:1:1" in found.hint


def test_files_and_paths_must_be_there() -> None:
    assert _codes({"a": {}, "b": {"b.vsql": "APPLICATION b ();"}}) == ["a:no-files"]
    assert ":no-package-path" in _codes({"": {"b.vsql": "APPLICATION b ();"}})


@pytest.mark.parametrize(
    ("application", "code", "at"),
    [
        ("APPLICATION bills (USE air);", "undefined-package", "air"),
        (
            "IMPORT SCHEMA 'example.com/airsbp'; APPLICATION bills (USE airspb);",
            "undefined-package",
            "airspb",
        ),
        (
            "IMPORT SCHEMA 'example.com/nope'; APPLICATION bills (USE nope);",
            "missing-package",
            "'example.com/nope'",
        ),
        (
            "IMPORT SCHEMA 'example.com/airsbp' AS bills; APPLICATION bills (USE bills);",
            "duplicate-package",
            "bills",
        ),
        ("IMPORT SCHEMA 'example.com/airsbp'; APPLICATION bills ();", "unused-package", "APPLICATION bills"),
        ("APPLICATION bills ();", "unused-package", "APPLICATION bills"),
        ("IMPORT SCHEMA 'x.com/a-b'; APPLICATION bills ();", "local-name", "'x.com/a-b'"),
        ("IMPORT SCHEMA 'x.com/bills'; APPLICATION bills ();", "local-name", "'x.com/bills'"),
    ],
)
def test_what_is_wrong_with_packages_is_reported(language, application: str, code: str, at: str) -> None:
    others = {} if "x.com" in application else _AIR
    compiled = language.compile("", others=others, application=application)
    found = next(d for d in compiled.diagnostics if d.code == code)
    assert application[found.column - 1 : found.end_column - 1] == at
    assert found.hint


def test_a_local_name_is_for_one_package(language) -> None:
    language.reports("IMPORT SCHEMA 'x/air'; IMPORT SCHEMA «'y/air'»;", "local-name")


def test_a_package_has_the_same_local_name_everywhere(language) -> None:
    other = {
        "example.com/airsbp": "ABSTRACT WORKSPACE AirWS ();",
        "x/c": "IMPORT SCHEMA 'example.com/airsbp' AS b;",
    }
    compiled = language.compile(
        "",
        others=other,
        application="IMPORT SCHEMA 'example.com/airsbp' AS air; IMPORT SCHEMA 'x/c';"
        " APPLICATION a (USE air; USE c);",
    )
    assert [(d.code, d.file) for d in compiled.diagnostics] == [("local-name", "c.vsql")]


def test_an_import_that_is_never_used_may_be_missing(language) -> None:
    language.accepts("IMPORT SCHEMA 'example.com/nope';")


def test_an_import_that_is_missing_is_reported_once(language) -> None:
    language.reports(
        "IMPORT SCHEMA «'example.com/nope'»; WORKSPACE W INHERITS nope.A, nope.B (TABLE T"
        " INHERITS nope.C ());",
        "missing-package",
    )


def test_without_sys_there_are_no_workspaces(language) -> None:
    language.reports("«WORKSPACE W» ();", "missing-package", sys=None)
    language.reports("«WORKSPACE W» (TABLE T INHERITS sys.CDoc ());", "missing-package", sys=None)
    assert language.accepts("STATESTORAGE ENGINE BUILTIN (Ephemeral)", sys=None).name == "bills"


def test_diagnostics_come_in_the_order_of_packages_and_files_and_text() -> None:
    bad = "WORKSPACE %s (EXTENSION ENGINE WASM (QUERY Q%s; COMMAND C%s(Nope)));"
    compiled = compile_app(
        {
            "sys": {"sys.vsql": "ABSTRACT WORKSPACE Workspace ();"},
            "b": {"2.vsql": bad % ("X", 2, 2), "1.vsql": bad % ("Y", 1, 1) + "APPLICATION b ();"},
            "a": {"0.vsql": bad % ("Z", 0, 0)},
        }
    )
    assert [(d.package, d.file, d.code) for d in compiled.diagnostics] == [
        ("b", "2.vsql", "query-without-returns"),
        ("b", "2.vsql", "undefined-type"),
        ("b", "1.vsql", "query-without-returns"),
        ("b", "1.vsql", "undefined-type"),
        ("b", "1.vsql", "unused-package"),
        ("a", "0.vsql", "query-without-returns"),
        ("a", "0.vsql", "undefined-type"),
    ]


def test_no_other_package_is_called_sys(language) -> None:
    compiled = language.compile(
        "",
        others={"x.com/sys": "ABSTRACT WORKSPACE V ();"},
        application="IMPORT SCHEMA 'x.com/sys'; APPLICATION bills (USE sys);",
    )
    assert {d.code for d in compiled.diagnostics} == {"local-name"}
    assert _codes({"x/sys": {"a.vsql": "APPLICATION a ();"}}) == ["x/sys:local-name"]
