"""Schemas: what an app declares, and what its workspaces have."""

from __future__ import annotations

import pytest

from statehold.sdk import SchemaError


def test_all_shapes_compile(shop):
    assert shop.check() == []
    assert "shop.Bill" in shop
    assert "shop.Nothing" not in shop
    assert {"shop.Line", "shop.Turnover", "sys.Raw"} <= set(shop)


def test_a_shape_is_compiled_once(shop):
    assert shop["shop.Bill"] is shop["shop.Bill"]
    assert shop["shop.Bill"] is shop[shop["shop.Bill"].definition.name]


def test_an_unknown_name_is_refused(shop):
    with pytest.raises(SchemaError, match=r"shop has no table, view or type shop.Nothing"):
        shop["shop.Nothing"]
    assert shop.find("shop.Nothing") is None


def test_a_row_tells_its_shape(shop):
    view = shop["shop.Turnover"]
    key = view.rows.key(1, Year=1, Day=1, Currency="EUR")
    assert shop.of(key) is view
    assert shop.of(view.rows.prefix(1, Year=1)) is view
    assert shop.of(shop["shop.Bill"].from_json({"Number": 1})) is shop["shop.Bill"]


def test_a_row_of_a_version_that_declares_it_otherwise_is_refused(shop, schemas_of, shop_text):
    other = schemas_of(shop_text.replace("Total money", "Total int64"))["shop.Bill"].rows.value(Number=1)
    with pytest.raises(SchemaError, match="of this version of shop"):
        shop.of(other)


def test_a_kind_has_its_own_what_it_inherits_and_what_all_have(schemas_of):
    schemas = schemas_of("""
        APPLICATION shop();
        ABSTRACT WORKSPACE A (TABLE OfA INHERITS sys.CDoc (F int32));
        ABSTRACT WORKSPACE B INHERITS A (TABLE OfB INHERITS sys.CDoc (F int32));
        WORKSPACE C INHERITS B (TABLE OfC INHERITS sys.CDoc (F int32));
        ALTER WORKSPACE sys.AppWorkspaceWS (TABLE Added INHERITS sys.CDoc (F int32));
    """)
    assert {"shop.OfA", "shop.OfB", "shop.OfC", "sys.WorkspaceDescriptor"} <= schemas.members["shop.C"]
    assert "shop.OfC" not in schemas.members["shop.B"]
    assert {"shop.Added", "sys.AppWorkspace"} <= schemas.members["sys.AppWorkspaceWS"]


def test_a_table_has_the_uniques_of_those_it_inherits(schemas_of):
    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (
            ABSTRACT TABLE Base INHERITS sys.CDoc (A int32, B int32, UNIQUE (B, A));
            TABLE T INHERITS Base (C int32, UNIQUEFIELD C);
        );
    """)
    assert [unique.fields for unique in schemas["shop.T"].uniques] == [("A", "B"), ("C",)]
    assert schemas["shop.T"].lineage == {"shop.T", "shop.Base", "sys.CDoc", "sys.CRecord"}


def test_a_shape_knows_what_the_writer_has_to_prove(schemas_of):
    schemas = schemas_of("""
        APPLICATION shop();
        WORKSPACE W (TABLE T INHERITS sys.CDoc (Mail text VERIFIABLE, Name text););
    """)
    assert schemas["shop.T"].verifiable == {"Mail"}


def test_what_cannot_be_compiled_is_told_at_once(schemas_of):
    schemas = schemas_of(r"""
        APPLICATION shop();
        WORKSPACE W (
            TABLE T INHERITS sys.CDoc (A text CHECK '\\pL');
            TABLE U INHERITS sys.CDoc (B text CHECK '\\p{Greek}');
        );
    """)
    problems = schemas.check()
    assert len(problems) == 2
    assert "shop.T: field A: this host cannot run CHECK" in problems[0]
