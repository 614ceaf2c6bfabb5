"""WORKSPACE, ALTER WORKSPACE and USE WORKSPACE."""

from __future__ import annotations

from statehold_vsql.appdef import QName


def test_a_workspace_has_all_that_its_declaration_says(language) -> None:
    app = language.accepts(
        """ABSTRACT WORKSPACE Base (TAG T);
        -- Tables of a house
        ALTERABLE POOL OF WORKSPACE House INHERITS Base (
          DESCRIPTOR (Name text NOT NULL);
          TABLE Bill INHERITS sys.CDoc (Items TABLE Item (Price money));
          WORKSPACE Inner ();
          USE WORKSPACE House;
        );
        ALTER WORKSPACE House (ROLE Cook);"""
    )
    house = app.workspaces[QName("bills", "House")]
    assert (house.abstract, house.alterable, house.pool) == (False, True, True)
    assert house.inherits == (QName("bills", "Base"),)
    assert house.descriptor == QName("bills", "HouseDescriptor")
    assert [name.name for name in house.members] == ["HouseDescriptor", "Bill", "Item", "Inner", "Cook"]
    assert set(house.uses) == {QName("bills", "House"), QName("bills", "Inner")}
    assert house.comment == "Tables of a house"
    assert app.workspaces[QName("bills", "Inner")].parent == house.name


def test_a_base_must_be_abstract(language) -> None:
    language.reports("WORKSPACE A (); WORKSPACE B INHERITS «A» ();", "base-not-abstract")


def test_a_base_must_be_there(language) -> None:
    told = language.report(
        "ABSTRACT WORKSPACE Base (); WORKSPACE B INHERITS «Bse» ();", "undefined-workspace"
    )
    assert told.endswith("did you mean `Base`?")


def test_what_may_come_from_an_unknown_base_is_not_reported(language) -> None:
    language.reports(
        "ABSTRACT WORKSPACE A (TYPE P (x int)); WORKSPACE B INHERITS «Nope» (EXTENSION ENGINE"
        " WASM (COMMAND C(P)));",
        "undefined-workspace",
    )


def test_sys_workspace_is_inherited_without_saying_so(language) -> None:
    language.reports("WORKSPACE B INHERITS «sys.Workspace» ();", "inherits-sys-workspace")


def test_a_circle_is_reported_once(language) -> None:
    language.reports(
        "ABSTRACT WORKSPACE A INHERITS B (); ABSTRACT WORKSPACE B INHERITS «A» (); WORKSPACE C"
        " INHERITS A ();",
        "circular-inherits",
    )
    language.reports("ABSTRACT WORKSPACE A INHERITS «A» ();", "circular-inherits")


def test_two_ways_to_one_base_are_no_circle(language) -> None:
    language.accepts(
        "ABSTRACT WORKSPACE A (); ABSTRACT WORKSPACE B INHERITS A (); ABSTRACT WORKSPACE C INHERITS A ();"
        "WORKSPACE D INHERITS B, C, A ();"
    )


def test_an_abstract_workspace_has_no_descriptor(language) -> None:
    language.reports("ABSTRACT WORKSPACE A («DESCRIPTOR (x int)»);", "abstract-descriptor")


def test_an_abstract_workspace_cannot_be_used(language) -> None:
    language.reports(
        "ABSTRACT WORKSPACE A (); WORKSPACE B (USE WORKSPACE «A»; USE WORKSPACE «Nope»);",
        "use-of-abstract",
        "undefined-workspace",
    )


def test_only_an_alterable_workspace_can_be_altered_from_another_package(language) -> None:
    told = language.report("ALTER WORKSPACE «sys.ProfileWS» (ROLE R);", "not-alterable")
    assert "ALTERABLE WORKSPACE ProfileWS" in told
    language.accepts(
        "WORKSPACE W (); ALTER WORKSPACE W (ROLE R); ALTER WORKSPACE sys.AppWorkspaceWS (ROLE S);"
    )


def test_what_is_in_an_unknown_workspace_makes_no_further_errors(language) -> None:
    language.reports(
        "ALTER WORKSPACE «sys.Nope» (ROLE R; TYPE T (x int); EXTENSION ENGINE WASM (COMMAND"
        " C(T); JOB J '@daily'));",
        "undefined-workspace",
    )


def test_a_nested_workspace_is_for_the_one_around_it(language) -> None:
    language.accepts("WORKSPACE A (WORKSPACE B (); USE WORKSPACE B);")
    language.reports("WORKSPACE A (WORKSPACE B ()); WORKSPACE C (USE WORKSPACE «B»);", "undefined-workspace")


def test_a_template_of_an_unknown_workspace_is_only_a_warning(language) -> None:
    language.reports("TEMPLATE demo OF WORKSPACE «Nope» SOURCE files;", "undefined-workspace")
    app = language.accepts("WORKSPACE W (); TEMPLATE demo OF WORKSPACE W SOURCE files;")
    assert app.templates[QName("bills", "demo")].workspace == QName("bills", "W")


def test_far_too_many_workspaces_are_one_error(language) -> None:
    chain = "".join(f"ABSTRACT WORKSPACE W{at} INHERITS W{at - 1} ();\n" for at in range(1, 20_000))
    compiled = language.compile(f"ABSTRACT WORKSPACE W0 ();\n{chain}WORKSPACE W INHERITS W19999 (TYPE T ());")
    assert [diagnostic.code for diagnostic in compiled.diagnostics] == ["too-many"]
