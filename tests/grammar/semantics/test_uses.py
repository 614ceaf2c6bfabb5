"""STATE and INTENTS: storages and their entities."""

from __future__ import annotations

_HEAD = """WORKSPACE W (
  ABSTRACT TABLE Base INHERITS sys.CDoc (Name text);
  TABLE Bill INHERITS Base ();
  VIEW Total (Day int32, Hour int32, PRIMARY KEY ((Day), Hour)) AS RESULT OF Sums;
  EXTENSION ENGINE PYTHON (
    PROJECTOR Sums AFTER INSERT ON Bill INTENTS(sys.View(Total));
    %s
  );
);"""


def test_an_undefined_storage_is_reported_with_the_nearest_name(language) -> None:
    told = language.report(_HEAD % "COMMAND C STATE(«sys.Htpp»)", "undefined-storage")
    assert told == "storage sys.Htpp is not declared | did you mean `sys.Http`?"


def test_a_storage_of_sys_needs_its_package(language) -> None:
    told = language.report(_HEAD % "QUERY Q STATE(«Http») RETURNS void", "undefined-storage")
    assert told.endswith("did you mean `sys.Http`?")


def test_a_name_of_another_kind_is_not_a_storage(language) -> None:
    told = language.report(_HEAD % "QUERY Q STATE(«Bill») RETURNS void", "undefined-storage")
    assert told.startswith("Bill is a table, but a storage is expected here")


def test_an_unknown_package_is_reported_once(language) -> None:
    language.reports(
        _HEAD % "COMMAND C STATE(«nope.A», nope.B); COMMAND D STATE(nope.C)", "undefined-package"
    )


def test_a_storage_for_records_needs_a_table(language) -> None:
    told = language.report(_HEAD % "COMMAND C STATE(«sys.Record»)", "storage-needs-entity")
    assert "a table" in told
    language.reports(_HEAD % "QUERY Q STATE(«sys.View») RETURNS void", "storage-needs-entity")


def test_every_wrong_entity_is_reported_where_it_stands(language) -> None:
    language.reports(
        _HEAD % "COMMAND C STATE(sys.Record(«Nope», Bill, «Base», «Total»))",
        *("undefined-table", "abstract-entity", "undefined-table"),
    )
    language.reports(_HEAD % "COMMAND C STATE(sys.View(«Bill», Total))", "undefined-view")


def test_entities_and_scope_are_judged_apart(language) -> None:
    language.reports(
        _HEAD % "QUERY Q STATE(sys.Record(«Nope»), «sys.JobContext») RETURNS void",
        *("undefined-table", "scope-state"),
    )


def test_entities_of_a_storage_without_entities_are_only_a_warning(language) -> None:
    language.reports(_HEAD % "QUERY Q STATE(sys.Http(«Whatever»)) RETURNS void", "entity-ignored")


def test_entities_twice_and_storages_twice_are_accepted(language) -> None:
    language.accepts(_HEAD % "COMMAND C STATE(sys.Record(Bill, Bill), sys.Record(Bill))")


def test_a_storage_declared_for_both_kinds_of_entity_checks_both(language) -> None:
    text = "EXTENSION ENGINE BUILTIN (STORAGE Both (GET SCOPE(COMMANDS)) ENTITY RECORD ENTITY VIEW);"
    sys = _sys() + text
    language.reports(
        _HEAD % "COMMAND C STATE(sys.Both(«Bill»))",
        *("undefined-view",),
        sys=sys,
    )


def _sys() -> str:
    from importlib.resources import files

    return files("statehold_sys").joinpath("sys.vsql").read_text(encoding="utf-8")
