from __future__ import annotations

import pytest

from statehold.processing import ForbiddenError, ProcessingError, RequestError, UnknownError
from statehold.sdk import Principal


def make(shop, owner=0, kind="shop.ShopWS", **more):
    data = more.pop("data", {"City": "Oslo"})
    return shop.runtime.create_workspace(shop.request(owner, **more), kind, name="mine", data=data).workspace


def test_a_workspace_is_made_with_its_descriptor(shop):
    one, other = make(shop), make(shop)
    assert (one, other) == (65537, 65538)
    descriptor = shop.runtime.singleton(shop.request(one), "sys.WorkspaceDescriptor")
    assert (descriptor["WSName"], descriptor["WSKind"]) == ("mine", "shop.ShopWS")
    assert shop.runtime.singleton(shop.request(one), "shop.Shop")["City"] == "Oslo"
    assert shop.runtime.command(shop.request(one), "shop.Sit").offset == 2
    with pytest.raises(UnknownError, match=r"is a shop\.ShopWS, which has no shop\.Sell"):
        shop.sell(workspace=one)


def test_who_owns_a_workspace_has_the_owner_s_rights_there(shop):
    profile = make(shop)
    eve = Principal(name="eve", kind=1, profile=profile)
    owned = make(shop, profile, principal=eve)
    assert shop.runtime.command(shop.request(owned, principal=eve), "shop.Sit")
    assert "sys.WorkspaceOwner" in shop.runtime.roles(shop.request(owned, principal=eve))
    with pytest.raises(ForbiddenError):
        shop.runtime.command(shop.request(make(shop), principal=eve), "shop.Sit")


def test_not_everybody_may_make_any_workspace(shop):
    profile = make(shop)
    eve = Principal(name="eve", kind=1, profile=profile)
    with pytest.raises(ForbiddenError, match="made by operators"):
        make(shop, principal=eve)
    with pytest.raises(ForbiddenError, match="is made in workspace 1 by its owner"):
        make(shop, 1, principal=eve)
    with pytest.raises(ForbiddenError, match="cannot be made in a"):
        make(shop, profile, kind="sys.UserProfileWS", data={}, principal=eve)


@pytest.mark.parametrize(
    ("kind", "data", "error", "message"),
    [
        ("shop.Nope", {}, UnknownError, "no kind of workspace"),
        ("sys.ProfileWS", {}, UnknownError, "is abstract"),
        ("shop.ShopWS", {}, RequestError, "City"),
        ("shop.ShopWS", {"City": 1}, RequestError, "City"),
    ],
)
def test_what_is_no_workspace_is_refused(shop, kind, data, error, message):
    with pytest.raises(error, match=message):
        make(shop, kind=kind, data=data)


def test_the_owner_has_to_be_there(shop):
    with pytest.raises(ProcessingError, match="there is no workspace 99"):
        make(shop, 99)


def test_an_owner_may_rename_a_workspace_and_not_give_it_away(shop):
    profile = make(shop)
    eve = Principal(name="eve", kind=1, profile=profile)
    owned = make(shop, profile, principal=eve)
    asked = shop.request(owned, principal=eve)
    descriptor = shop.runtime.singleton(asked, "sys.WorkspaceDescriptor")["sys.ID"]
    shop.runtime.patch(asked, "sys.WorkspaceDescriptor", descriptor, {"WSName": "ours"})
    assert shop.runtime.singleton(asked, "sys.WorkspaceDescriptor")["WSName"] == "ours"
    for change in ({"OwnerWSID": 1}, {"WSKind": "sys.AppWorkspaceWS"}, {"WSName": "x", "Status": 1}):
        with pytest.raises(ForbiddenError, match="only WSName may be changed"):
            shop.runtime.patch(asked, "sys.WorkspaceDescriptor", descriptor, change)
    shop.runtime.patch(shop.request(owned), "sys.WorkspaceDescriptor", descriptor, {"OwnerWSID": 1})
    with pytest.raises(ForbiddenError):
        shop.runtime.command(asked, "shop.Sit")
