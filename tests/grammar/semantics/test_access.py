"""ROLE, GRANT, REVOKE, TAG, RATE, LIMIT and DECLARE."""

from __future__ import annotations

import pytest

from statehold_vsql.appdef import AccessKind, AccessOperation, QName, RateScope, RightDef

_WORKSPACE = """DECLARE Often int DEFAULT 5; DECLARE Never int32 DEFAULT 0;
WORKSPACE W (
  DESCRIPTOR Own (Motto text);
  TYPE Named (Name text); ABSTRACT TABLE Base INHERITS sys.CDoc (Id int64);
  TABLE Bill INHERITS Base (Named, Total money, Of ref, Lines TABLE Line (Price money));
  VIEW V (A int8, B int8, R ref, PRIMARY KEY ((A), B)) AS RESULT OF P;
  EXTENSION ENGINE PYTHON (
    COMMAND C; QUERY Q RETURNS void;
    PROJECTOR P AFTER INSERT ON Bill INTENTS(sys.View(V));
  );
  TAG G; ROLE Admin; PUBLISHED ROLE Guest;
  RATE R 10 PER HOUR;
  %s
);"""


def _rights(*names: str) -> tuple[RightDef, ...]:
    return tuple(RightDef(AccessOperation(name)) for name in names)


def test_grants_have_all_that_they_say(language) -> None:
    app = language.accepts(
        _WORKSPACE
        % """GRANT SELECT, UPDATE(Total, sys.IsActive) ON TABLE Bill TO Admin;
        GRANT ALL ON ALL TABLES WITH TAG G TO sys.WorkspaceOwner;
        GRANT Guest TO Admin;
        GRANT EXECUTE ON ALL COMMANDS TO Admin;
        REVOKE SELECT(A) ON VIEW V FROM Guest"""
    )
    one, tagged, role, every, revoked = (g for g in app.grants if g.workspace.package == "bills")
    assert one.rights == (
        RightDef(AccessOperation.SELECT),
        RightDef(AccessOperation.UPDATE, ("Total", "sys.IsActive")),
    )
    assert (one.kind, one.target, one.role) == (
        AccessKind.TABLE,
        QName("bills", "Bill"),
        QName("bills", "Admin"),
    )
    assert tagged.rights == _rights("SELECT", "INSERT", "UPDATE", "ACTIVATE", "DEACTIVATE")
    assert (tagged.target, tagged.tag) == (None, QName("bills", "G"))
    assert (role.kind, role.target, role.rights) == (AccessKind.ROLE, QName("bills", "Guest"), ())
    assert (every.kind, every.target, every.rights) == (AccessKind.COMMAND, None, _rights("EXECUTE"))
    assert revoked.revoke
    assert app.roles[QName("bills", "Guest")].published
    assert not app.roles[QName("bills", "Admin")].published


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("GRANT «Nope» TO «Nobody»", ["undefined-role"] * 2),
        ("GRANT EXECUTE ON COMMAND «Q» TO Admin", ["undefined-command"]),
        ("GRANT EXECUTE ON QUERY «C» TO Admin", ["undefined-query"]),
        ("GRANT SELECT ON VIEW «Bill» TO Admin", ["undefined-view"]),
        ("GRANT SELECT ON TABLE «V» TO Admin", ["undefined-table"]),
        ("GRANT SELECT ON ALL VIEWS WITH TAG «H» TO Admin", ["undefined-tag"]),
        ("GRANT SELECT(«X», Total), UPDATE(«Y») ON TABLE Bill TO Admin", ["undefined-field"] * 2),
        ("GRANT ALL(«X») ON TABLE Bill TO Admin", ["undefined-field"]),
        ("GRANT SELECT(«X») ON VIEW V TO Admin", ["undefined-field"]),
        ("REVOKE Guest FROM Admin; «GRANT Guest TO Admin»", ["grant-after-revoke"]),
        ("LIMIT L ON COMMAND «Q» WITH RATE «S»", ["undefined-command", "undefined-rate"]),
        ("LIMIT L ON ALL TABLES WITH TAG «H» WITH RATE R", ["undefined-tag"]),
        ("LIMIT L EXECUTE, «INSERT» ON COMMAND C WITH RATE R", ["operation-not-allowed"]),
        ("LIMIT L «EXECUTE» ON EACH TABLE WITH RATE R", ["operation-not-allowed"]),
        ("LIMIT L SELECT, «UPDATE» ON ALL VIEWS WITH RATE R", ["operation-not-allowed"]),
        ("RATE S «0» PER HOUR", ["not-positive"]),
        ("RATE S 1 PER «0» HOURS", ["not-positive"]),
        ("RATE S «Nope» PER HOUR", ["undefined-variable"]),
        ("RATE S «Never» PER HOUR", ["not-positive"]),
    ],
)
def test_what_is_wrong_with_a_right_or_a_limit_is_reported(language, text: str, codes: list[str]) -> None:
    language.reports(_WORKSPACE % text, *codes)


def test_columns_may_be_inherited_or_of_a_field_set_or_a_container(language) -> None:
    language.accepts(
        _WORKSPACE
        % """GRANT SELECT(Id, Name, Total, Of, Lines, sys.ID) ON TABLE Bill TO Admin;
        GRANT SELECT(A, R) ON VIEW V TO Admin; GRANT SELECT(Motto) ON TABLE Own TO Admin"""
    )


def test_what_is_granted_may_come_from_inherited_workspaces(language) -> None:
    language.accepts(
        "ABSTRACT WORKSPACE A (TABLE T INHERITS sys.CDoc (); ROLE R); WORKSPACE W INHERITS A"
        " (GRANT SELECT ON TABLE T TO R; GRANT SELECT ON TABLE sys.WorkspaceDescriptor TO sys.Everyone);"
    )


def test_each_container_may_revoke_by_itself(language) -> None:
    language.accepts(
        "WORKSPACE W (ROLE R; ROLE S; GRANT R TO S; REVOKE R FROM S); ALTER WORKSPACE W (GRANT R TO S);"
    )


def test_a_role_belongs_to_a_workspace(language) -> None:
    language.reports("«ROLE R»; «PUBLISHED ROLE S»;", *["role-outside-workspace"] * 2)


def test_rates_and_limits_have_all_that_they_say(language) -> None:
    app = language.accepts(
        _WORKSPACE
        % """RATE S Often PER 5 MINUTES PER WORKSPACE PER IP;
        LIMIT L ON EACH QUERY WITH TAG G WITH RATE S; LIMIT M INSERT, UPDATE ON TABLE Bill WITH RATE R"""
    )
    rate, plain = app.rates[QName("bills", "S")], app.rates[QName("bills", "R")]
    assert (rate.count, rate.variable, rate.seconds) == (5, QName("bills", "Often"), 300)
    assert rate.scopes == (RateScope.WORKSPACE, RateScope.IP)
    assert (plain.count, plain.seconds, plain.scopes) == (10, 3600, (RateScope.APP_PARTITION,))
    each, one = app.limits[QName("bills", "L")], app.limits[QName("bills", "M")]
    assert (each.kind, each.each, each.tag, each.rate) == (
        AccessKind.QUERY,
        True,
        QName("bills", "G"),
        QName("bills", "S"),
    )
    assert each.operations == (AccessOperation.EXECUTE,)
    assert one.operations == (AccessOperation.INSERT, AccessOperation.UPDATE)
    assert one.target == QName("bills", "Bill")


def test_tags_and_variables_are_in_the_application(language) -> None:
    app = language.accepts("DECLARE N int DEFAULT 7; WORKSPACE W (TAG G FEATURE 'orders');")
    assert app.variables[QName("bills", "N")].default == 7
    assert app.tags[QName("bills", "G")].feature == "orders"


@pytest.mark.parametrize("default", ["2147483648", "-2147483649"])
def test_a_variable_is_a_whole_number_of_32_bits(language, default: str) -> None:
    language.reports(f"DECLARE N int DEFAULT «{default}»;", "default-type")
