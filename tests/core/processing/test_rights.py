from __future__ import annotations

import pytest

from statehold.processing._errors import ForbiddenError, UnknownError
from statehold.processing._request import SYSTEM
from statehold.processing._rights import Rights
from statehold.sdk import Principal
from statehold_vsql.appdef import AccessOperation as Op

SHOP = """
APPLICATION shop ();

ABSTRACT WORKSPACE BaseWS (
  TAG Money;
  TABLE Price INHERITS sys.CDoc (Amount money) WITH Tags=(Money);
  ROLE Reader; ROLE Clerk; ROLE Boss;
  GRANT Reader TO Clerk;
  GRANT SELECT ON ALL TABLES TO Reader;
  GRANT SELECT, UPDATE ON ALL TABLES WITH TAG Money TO Boss;
  %s
);

WORKSPACE ShopWS INHERITS BaseWS (
  DESCRIPTOR Shop ();
  TAG Free; TAG Known; TAG Own;
  TABLE Bill INHERITS sys.CDoc (
    Total money, Note text, Lines TABLE Line (Amount money)
  );
  TABLE Secret INHERITS sys.CDoc (Word text);
  VIEW Turnover (Year int32, Month int32, Total money, PRIMARY KEY ((Year), Month)) AS RESULT OF Sum;
  EXTENSION ENGINE PYTHON (
    COMMAND Pay WITH Tags=(Known);
    COMMAND Open WITH Tags=(Free);
    COMMAND Close WITH Tags=(Own);
    COMMAND Steal;
    QUERY Show RETURNS void;
    SYNC PROJECTOR Sum AFTER INSERT ON Bill INTENTS(sys.View(Turnover));
  );
  GRANT EXECUTE ON ALL COMMANDS WITH TAG Free TO sys.Everyone;
  GRANT EXECUTE ON ALL COMMANDS WITH TAG Known TO sys.AuthenticatedUser;
  GRANT EXECUTE ON ALL COMMANDS WITH TAG Own TO sys.WorkspaceOwner;
  %s
);
"""


@pytest.fixture
def rights(compiled):
    def rights(shop="", base=""):
        return Rights(compiled(SHOP % (base, shop))).of("shop.ShopWS")

    return rights


def may(rights, roles, operation, thing, *fields):
    try:
        rights.check(rights.expanded(frozenset(roles)), operation, thing, fields=fields)
    except ForbiddenError:
        return False
    return True


def test_nothing_is_permitted_that_is_not_granted(rights):
    mine = rights("GRANT EXECUTE ON COMMAND Pay TO Clerk;")
    assert may(mine, {"shop.Clerk"}, Op.EXECUTE, "shop.Pay")
    assert not may(mine, {"shop.Clerk"}, Op.EXECUTE, "shop.Steal")
    assert not may(mine, {"shop.Reader"}, Op.EXECUTE, "shop.Pay")
    assert not may(mine, {"shop.Clerk"}, Op.EXECUTE, "shop.Nothing")


def test_who_has_a_role_has_what_is_granted_to_it_by_way_of_others(rights):
    mine = rights("ROLE Chief; GRANT Clerk TO Chief; GRANT EXECUTE ON QUERY Show TO Reader;")
    assert may(mine, {"shop.Chief"}, Op.EXECUTE, "shop.Show")
    assert mine.expanded(frozenset({"shop.Chief"})) == {"shop.Chief", "shop.Clerk", "shop.Reader"}


def test_a_role_that_is_revoked_from_a_role_is_no_longer_part_of_it(rights):
    assert not may(rights("REVOKE Reader FROM Clerk;"), {"shop.Clerk"}, Op.SELECT, "shop.Price")


def test_all_means_what_the_same_workspace_declares(rights):
    mine = rights("GRANT SELECT ON ALL TABLES TO Boss;")
    assert may(mine, {"shop.Reader"}, Op.SELECT, "shop.Price")
    assert not may(mine, {"shop.Reader"}, Op.SELECT, "shop.Bill")
    assert may(mine, {"shop.Boss"}, Op.SELECT, "shop.Line")


def test_a_tag_chooses_what_has_it_also_in_kinds_that_inherit_the_grant(rights):
    mine = rights()
    assert may(mine, {"shop.Boss"}, Op.UPDATE, "shop.Price")
    assert not may(mine, {"shop.Boss"}, Op.UPDATE, "shop.Secret")
    assert not may(mine, {"shop.Boss"}, Op.INSERT, "shop.Price")


def test_a_revoke_takes_away_what_was_granted_before_it_also_by_kinds_that_are_inherited(rights):
    mine = rights("GRANT UPDATE ON TABLE Bill TO Boss; REVOKE UPDATE ON TABLE Price FROM Boss;")
    assert not may(mine, {"shop.Boss"}, Op.UPDATE, "shop.Price")
    assert may(mine, {"shop.Boss"}, Op.SELECT, "shop.Price")
    assert may(mine, {"shop.Boss"}, Op.UPDATE, "shop.Bill")


def test_columns_are_permitted_one_by_one(rights):
    mine = rights(
        "GRANT SELECT(Total), UPDATE(Total), UPDATE(Note) ON TABLE Bill TO Clerk;"
        "GRANT SELECT ON TABLE Bill TO Boss;"
    )
    assert may(mine, {"shop.Clerk"}, Op.UPDATE, "shop.Bill", "Total", "Note")
    assert may(mine, {"shop.Clerk"}, Op.SELECT, "shop.Bill", "Total", "sys.ID")
    with pytest.raises(ForbiddenError, match=r"SELECT\(Note\) on shop\.Bill is not permitted") as caught:
        mine.check(frozenset({"shop.Clerk"}), Op.SELECT, "shop.Bill", fields=["Total", "Note"])
    assert caught.value.fields == ("Note",)
    assert caught.value.roles == ("shop.Boss",)
    assert caught.value.status == 403


def test_a_revoke_of_columns_leaves_the_others(rights):
    mine = rights(
        "GRANT SELECT ON TABLE Bill TO Clerk; GRANT SELECT ON VIEW Turnover TO Clerk;"
        "REVOKE SELECT(Note) ON TABLE Bill FROM Clerk; REVOKE SELECT(Total) ON VIEW Turnover FROM Clerk;"
    )
    assert mine.permission(frozenset({"shop.Clerk"}), Op.SELECT, "shop.Bill").fields == {
        *("Total", "Lines"),
        *("sys.ID", "sys.QName", "sys.IsActive", "sys.ParentID", "sys.Container"),
    }
    assert may(mine, {"shop.Clerk"}, Op.SELECT, "shop.Turnover", "Year", "Month")
    assert not may(mine, {"shop.Clerk"}, Op.SELECT, "shop.Turnover", "Total")


def test_an_error_names_the_roles_that_would_permit_it(rights):
    mine = rights("GRANT EXECUTE ON COMMAND Pay TO Clerk;")
    with pytest.raises(ForbiddenError, match=r"EXECUTE on shop\.Pay is not permitted in") as caught:
        mine.check(mine.roles(None, workspace=1), Op.EXECUTE, "shop.Pay")
    assert caught.value.roles == ("shop.Clerk", "sys.AuthenticatedUser")
    assert "It takes one of these roles: shop.Clerk, sys.AuthenticatedUser (whoever has a token)" in str(
        caught.value
    )


def test_an_error_says_who_has_the_roles_of_an_owner_which_no_token_can_be_given(rights):
    mine = rights("GRANT EXECUTE ON COMMAND Close TO sys.WorkspaceOwner;")
    with pytest.raises(ForbiddenError) as caught:
        mine.check(frozenset({"shop.Clerk"}), Op.EXECUTE, "shop.Close")
    assert caught.value.roles == ("sys.ProfileOwner", "sys.WorkspaceDevice", "sys.WorkspaceOwner")
    assert "sys.WorkspaceOwner (a user whose token's profile owns the workspace)" in str(caught.value)


def test_the_error_says_so_where_no_role_permits_it(rights):
    mine = rights()
    with pytest.raises(ForbiddenError, match="No role there permits it"):
        mine.check(mine.roles(None, workspace=1), Op.EXECUTE, "shop.Steal")


@pytest.mark.parametrize(
    ("principal", "workspace", "owner", "permitted"),
    [
        (None, 7, 0, {"Open"}),
        (Principal(name="eve", kind=1, profile=5), 7, 0, {"Open", "Pay"}),
        (Principal(name="eve", kind=1, profile=5), 5, 0, {"Open", "Pay", "Close"}),
        (Principal(name="eve", kind=1, profile=5), 7, 5, {"Open", "Pay", "Close"}),
        (Principal(name="till", kind=2, profile=5), 7, 5, {"Open", "Pay", "Close"}),
        (Principal(name="eve", kind=1), 7, 0, {"Open", "Pay"}),
        (SYSTEM, 7, 0, {"Open", "Pay", "Close", "Steal"}),
    ],
)
def test_roles_follow_from_the_principal_and_the_workspace(rights, principal, workspace, owner, permitted):
    mine = rights()
    roles = mine.roles(principal, workspace=workspace, owner=owner)
    commands = ("Open", "Pay", "Close", "Steal")
    assert {name for name in commands if may(mine, roles, Op.EXECUTE, f"shop.{name}")} == permitted


def test_roles_of_a_token_hold_in_their_workspace_and_those_under_0_everywhere(rights):
    mine = rights()
    ann = Principal(name="ann", kind=1, roles={7: frozenset({"shop.Boss"}), 0: frozenset({"shop.Reader"})})
    assert {"shop.Boss", "shop.Reader"} <= mine.roles(ann, workspace=7)
    assert "shop.Boss" not in mine.roles(ann, workspace=8)
    assert "shop.Reader" in mine.roles(ann, workspace=8)


def test_roles_are_kept_by_principal_and_never_taken_for_those_of_another(rights):
    mine = rights()
    for number in range(20_000):
        # Each is gone before the next is made, and the next may lie at the same place.
        role = ("shop.Boss", "shop.Clerk")[number % 2]
        principal = Principal(name="ann", kind=1, roles={7: frozenset({role})})
        roles = mine.roles(principal, workspace=7)
        assert (role in roles, "shop.Boss" in roles) == (True, role == "shop.Boss")
        assert mine.roles(principal, workspace=7) is roles
        assert "shop.Clerk" not in mine.roles(principal, workspace=8)


def test_all_that_a_role_permits_can_be_listed(rights):
    mine = rights("GRANT SELECT(Total) ON TABLE Bill TO Reader;")
    listed = mine.permitted({"shop.Reader"})
    assert {(op, thing): one.fields for (op, thing), one in listed.items()} == {
        (Op.SELECT, "shop.Price"): None,
        (Op.SELECT, "shop.Bill"): {"Total"},
    }
    assert (Op.EXECUTE, "shop.Steal") in mine.permitted({"sys.System"})
    assert (Op.EXECUTE, "shop.Steal") not in mine.permitted({"shop.Nobody"})


def test_a_kind_that_the_app_does_not_have_is_named(compiled):
    with pytest.raises(UnknownError, match=r"no kind of workspace 'shop\.Gone'"):
        Rights(compiled(SHOP % ("", ""))).of("shop.Gone")


def test_sets_of_roles_are_forgotten_when_they_become_many(rights):
    mine = rights()
    for number in range(1000):
        mine.permission(mine.expanded(frozenset({f"x.R{number}"})), Op.SELECT, "shop.Bill")
    assert len(mine._tables) <= 256
    assert len(mine._expanded) <= 256
