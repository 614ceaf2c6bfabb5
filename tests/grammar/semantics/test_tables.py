"""TABLE, TYPE and DESCRIPTOR."""

from __future__ import annotations

import pytest

from statehold_vsql import DataType, Field
from statehold_vsql.appdef import ContainerDef, QName, TableKind, UniqueDef


def _in_workspace(items: str) -> str:
    return f"WORKSPACE W ({items});"


def test_a_table_has_all_that_its_declaration_says(language) -> None:
    app = language.accepts(
        _in_workspace(
            """TAG G; TYPE Named (Name varchar(50) NOT NULL);
            ABSTRACT TABLE Base INHERITS sys.CSingleton (Id int64 NOT NULL);
            -- What is to pay
            TABLE Bill INHERITS Base (
              Named, Note text DEFAULT 'none' CHECK '^[a-z]*$', Code text NOT NULL VERIFIABLE,
              Of ref(Bill, Other) NOT NULL, Any ref, Photo blob,
              Lines TABLE Line (Price money), More Line,
              UNIQUE (Note, Of), CONSTRAINT Codes UNIQUE (Code), UNIQUEFIELD Name
            ) WITH Tags=(G);
            TABLE Other INHERITS sys.CDoc ();"""
        )
    )
    bill = app.tables[QName("bills", "Bill")]
    assert (bill.kind, bill.singleton, bill.abstract) == (TableKind.CDOC, True, False)
    assert [f.name for f in bill.fields] == ["Id", "Name", "Note", "Code", "Of", "Any", "Photo"]
    assert bill.fields[1].field == Field("Name", DataType.TEXT, required=True, max_length=50)
    assert (bill.fields[2].default, bill.fields[2].pattern) == ("none", "^[a-z]*$")
    assert bill.fields[2].field.max_length == 255
    assert bill.fields[3].verifiable
    assert bill.fields[4].references == (QName("bills", "Bill"), QName("bills", "Other"))
    assert bill.containers == (
        ContainerDef(name="Lines", type=QName("bills", "Line")),
        ContainerDef(name="More", type=QName("bills", "Line")),
    )
    assert bill.uniques == (
        UniqueDef(name="01", fields=("Note", "Of")),
        UniqueDef(name="Codes", fields=("Code",)),
    )
    assert bill.unique_field == "Name"
    assert bill.tags == (QName("bills", "G"),)
    assert bill.comment == "What is to pay"
    assert app.tables[QName("bills", "Line")].kind is TableKind.CRECORD


@pytest.mark.parametrize(
    ("base", "kind", "singleton"),
    [
        *[(kind.value, kind, False) for kind in TableKind],
        ("CSingleton", TableKind.CDOC, True),
        ("WSingleton", TableKind.WDOC, True),
    ],
)
def test_the_kind_comes_from_the_table_of_sys(
    language, base: str, kind: TableKind, *, singleton: bool
) -> None:
    app = language.accepts(_in_workspace(f"TABLE T INHERITS sys.{base} ()"))
    table = app.tables[QName("bills", "T")]
    assert (table.kind, table.singleton) == (kind, singleton)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("«TABLE T» ()", ["no-table-kind"]),
        (
            "«ABSTRACT TABLE A» (); TABLE B INHERITS A (x C, y ref(B)); TABLE C INHERITS sys.CRecord ()",
            ["no-table-kind"],
        ),
        ("TABLE A INHERITS sys.CDoc (); TABLE B INHERITS «A» ()", ["base-not-abstract"]),
        ("TABLE T INHERITS «sys.CDok» (x y.Z)", None),
        ("ABSTRACT TABLE A INHERITS B (); ABSTRACT TABLE B INHERITS «A» ()", ["circular-inherits"]),
        ("ABSTRACT TABLE A INHERITS «A» ()", ["circular-inherits"]),
        ("TABLE T INHERITS sys.CDoc (x int, «x» text)", ["duplicate-field"]),
        ("ABSTRACT TABLE A INHERITS sys.CDoc (x int); TABLE T INHERITS A («x» int)", ["duplicate-field"]),
        ("TYPE P (x int); TABLE T INHERITS sys.CDoc (x int, «P»)", ["duplicate-field"]),
        ("TABLE T INHERITS sys.CDoc (x «Nope»)", ["undefined-table"]),
        ("TABLE T INHERITS sys.CDoc («Nope», UNIQUE (y))", ["undefined-type"]),
        ("TABLE T INHERITS sys.CDoc (x «T»)", ["nested-document"]),
        ("TABLE T INHERITS sys.CDoc (x «R»); TABLE R INHERITS sys.WRecord ()", ["nested-kind"]),
        ("TABLE T INHERITS sys.CDoc (x «R»); ABSTRACT TABLE R INHERITS sys.CRecord ()", ["nested-abstract"]),
        ("TABLE T INHERITS sys.CDoc (x «ABSTRACT TABLE R» ())", ["nested-abstract"]),
        ("TABLE T INHERITS sys.CDoc (x «TABLE R» INHERITS sys.ORecord (y TABLE S ()))", ["nested-kind"]),
        ("TYPE P («x» TABLE R ())", ["nested-in-type"]),
        ("TYPE P (x «Nope»)", ["undefined-type"]),
        ("TYPE P (x «blob»)", ["blob-outside-table"]),
        ("TYPE P (x Q); TYPE Q (y int); TABLE T INHERITS sys.CDoc («P»)", ["object-in-table"]),
        ("TYPE P (Q); TYPE Q («P»)", ["circular-include"]),
        ("TABLE T INHERITS sys.CDoc (x text(«65536»))", ["field-length"]),
        ("TABLE T INHERITS sys.CDoc (x bytes(«0»))", ["field-length"]),
        ("TABLE T INHERITS sys.CDoc (x int CHECK «'a'»)", ["pattern-not-text"]),
        ("TABLE T INHERITS sys.CDoc (x text CHECK «'(a'»)", ["invalid-pattern"]),
        ("TABLE T INHERITS sys.CDoc (x int, UNIQUE (x), UNIQUE («x»))", ["duplicate-unique"]),
        ("TABLE T INHERITS sys.CDoc (Name int, UNIQUE («Nme»))", ["undefined-field"]),
        ("TABLE T INHERITS sys.CDoc (UNIQUEFIELD «x»)", ["undefined-field"]),
        ("TABLE T INHERITS sys.CDoc (WSID int64, x int, UNIQUE (x, «WSID»))", ["reserved-field"]),
        ("TABLE T INHERITS sys.CDoc (WSID int64, UNIQUEFIELD «WSID»)", ["reserved-field"]),
        (
            "TABLE T INHERITS sys.CDoc (x int, y int, CONSTRAINT c UNIQUE (x), CONSTRAINT «c» UNIQUE (y))",
            ["duplicate-constraint"],
        ),
        (
            "TABLE T INHERITS sys.CDoc (x ref(«Nope», «sys.CDoc»))",
            ["undefined-table", "reference-to-abstract"],
        ),
        ("TABLE T INHERITS sys.CDoc (x ref(«V»)); TABLE V INHERITS sys.WDoc ()", ["reference-kind"]),
        ("TABLE T INHERITS sys.WDoc (x ref(«V»)); TABLE V INHERITS sys.ODoc ()", ["reference-kind"]),
        (
            "TABLE T INHERITS sys.CDoc («P»); TYPE P (x ref(V)); TABLE V INHERITS sys.WDoc ()",
            ["reference-kind"],
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_reported(language, text: str, codes: list[str] | None) -> None:
    if codes is None:
        codes = ["undefined-table"]
        text = text.replace("x y.Z", "x int")
    language.reports(_in_workspace(text), *codes)


@pytest.mark.parametrize(
    "text",
    [
        "TABLE T INHERITS sys.WDoc (x ref(V)); TABLE V INHERITS sys.CDoc ()",
        "TABLE T INHERITS sys.ODoc (x ref(V, U)); TABLE V INHERITS sys.CDoc (); TABLE U INHERITS sys.WDoc ()",
        "TYPE P (x ref(V)); TABLE V INHERITS sys.ODoc ()",
        "TABLE T INHERITS sys.CDoc (x text(65535), y bytes(1))",
        "TYPE P (x P, y Q); TYPE Q (z P)",
        "TYPE P (Q, R); TYPE Q (x int); TYPE R (y int); TABLE T INHERITS sys.CDoc (P, UNIQUE (x, y))",
        "TABLE T INHERITS sys.CDoc (x ref, UNIQUE (x)); TABLE V INHERITS sys.CDoc (i TABLE I (j TABLE J ()))",
        "ABSTRACT TABLE A INHERITS sys.CDoc (x int); TABLE T INHERITS A (UNIQUE (x))",
        "TABLE T INHERITS sys.CDoc (x int CHECK (x > 5 AND Nope(x)), CHECK (y IS NULL))",
        "TABLE T INHERITS sys.CDoc (x int DEFAULT 'no')",
    ],
)
def test_what_is_right_with_a_table_is_accepted(language, text: str) -> None:
    language.accepts(_in_workspace(text))


def test_a_descriptor_is_a_singleton(language) -> None:
    app = language.accepts("WORKSPACE W (DESCRIPTOR Own (Name text, Items TABLE Item (x int)));")
    own = app.tables[QName("bills", "Own")]
    assert (own.kind, own.singleton, own.descriptor) == (TableKind.CDOC, True, True)
    assert app.tables[QName("bills", "Item")].kind is TableKind.CRECORD


def test_a_descriptor_is_checked_as_a_table(language) -> None:
    language.reports(
        "WORKSPACE W (DESCRIPTOR (x int, «x» int, y «Nope»));", "duplicate-field", "undefined-table"
    )


def test_a_nearby_data_type_is_hinted(language) -> None:
    told = language.report(_in_workspace("TABLE T INHERITS sys.CDoc (x «int46»)"), "undefined-table")
    assert told == "data type or table int46 is not declared | did you mean `int64`?"


def test_types_are_in_the_application(language) -> None:
    app = language.accepts(_in_workspace("TYPE P (Q, z Q NOT NULL); TYPE Q (x int8, y text(5))"))
    p = app.types[QName("bills", "P")]
    assert [str(f.field) for f in p.fields] == ["x int8", "y text(5)"]
    assert p.containers == (ContainerDef(name="z", type=QName("bills", "Q"), required=True),)
