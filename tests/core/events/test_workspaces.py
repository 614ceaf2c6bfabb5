"""Workspaces: made by an event, of a kind that says what they have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from statehold.events import (
    PartitionData,
    RecordError,
    WorkspaceError,
    allocate_workspace,
    create_workspace,
    ensure_app_workspaces,
)
from statehold.sdk import SchemaError

CORNER = {"name": "corner", "registered_at": 5, "descriptor": {"Title": "Corner"}}


def test_ids_of_workspaces_are_given_out_once(store):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: [allocate_workspace(store) for _ in range(25)], range(4)))
    assert sorted(chain.from_iterable(found)) == list(range(65_537, 65_637))


def test_a_workspace_has_its_descriptors(unit, shop):
    event = create_workspace(unit, 65_537, kind="shop.ShopWS", owner=1, **CORNER)
    assert (event.name, event.workspace, event.wlog_offset) == ("sys.CreateWorkspace", 65_537, 1)
    found = unit.singleton(65_537, shop["sys.WorkspaceDescriptor"])
    assert (found.WSKind, found.WSName, found.CreatedAtMs, found.OwnerWSID) == ("shop.ShopWS", "corner", 5, 1)
    assert unit.singleton(65_537, shop["shop.ShopDescriptor"]).Title == "Corner"


def test_a_workspace_is_of_its_kind_before_and_after_the_commit(unit, data, shop):
    create_workspace(unit, 65_537, kind="shop.ShopWS", **CORNER)
    assert unit.kind(65_537) == unit.begin().kind(65_537) == "shop.ShopWS"
    with pytest.raises(WorkspaceError, match="there is no workspace 65537"):
        data.reader(shop).kind(65_537)
    unit.commit()
    assert data.reader(shop).kind(65_537) == data.kind(65_537) == "shop.ShopWS"


def test_a_workspace_that_is_forgotten_leaves_nothing(data, shop):
    create_workspace(data.begin(shop), 65_537, kind="shop.ShopWS", **CORNER)
    unit = data.begin(shop)
    create_workspace(unit, 65_537, kind="shop.EmptyWS", name="x", registered_at=1)
    assert unit.kind(65_537) == "shop.EmptyWS"


def test_a_workspace_is_made_once(unit, shop):
    create_workspace(unit, 65_537, kind="shop.ShopWS", **CORNER)
    with pytest.raises(WorkspaceError, match="there is a workspace 65537 already"):
        create_workspace(unit, 65_537, kind="shop.ShopWS", **CORNER)


@pytest.mark.parametrize(
    ("kind", "said"), [("sys.Workspace", "is abstract"), ("shop.Gone", "is no kind"), ("Gone", "is no kind")]
)
def test_a_workspace_is_of_a_kind_that_may_be_made(unit, kind, said):
    with pytest.raises(WorkspaceError, match=said):
        create_workspace(unit, 65_537, kind=kind, **CORNER)


def test_the_descriptor_fits_its_declaration(unit):
    with pytest.raises(SchemaError, match="Title"):
        create_workspace(unit, 65_537, kind="shop.ShopWS", name="x", registered_at=1)


def test_everything_belongs_to_a_kind_and_the_cache_of_kinds_is_bounded(data, shop, unit, monkeypatch):
    from statehold.events import _partition

    monkeypatch.setattr(_partition, "_KEPT", 3)
    for workspace in range(65_537, 65_547):
        create_workspace(unit, workspace, kind="shop.EmptyWS", name="x", registered_at=1)
    unit.commit()
    for workspace in range(65_537, 65_547):
        assert data.kind(workspace) == "shop.EmptyWS"
        assert len(data.kinds) <= 3


def test_a_kind_that_a_version_does_not_know_has_nothing(schemas_of, data, ws):
    other = schemas_of("APPLICATION shop(); WORKSPACE W (TABLE T INHERITS sys.CDoc (A int32););")
    with pytest.raises(WorkspaceError, match=r"is a shop.ShopWS, which has no shop.T"):
        data.reader(other).check(ws, "shop.T")


def test_the_app_s_own_workspaces_are_made_once(store, shop):
    partitions = [PartitionData(store, number) for number in range(3)]
    assert ensure_app_workspaces(partitions, shop, 4, registered_at=1) == [1, 2, 3, 4]
    assert ensure_app_workspaces(partitions, shop, 5, registered_at=2) == [5]
    assert [len(list(data.reader(shop).plog())) for data in partitions] == [1, 2, 2]
    reader = partitions[0].reader(shop)
    assert {reader.kind(workspace) for workspace in range(1, 6)} == {"sys.AppWorkspaceWS"}
    assert [event.workspace for event in reader.plog()] == [3]


def test_workspaces_are_made_by_an_image_s_own_sys(store, data):
    from statehold.events import Schemas
    from statehold_vsql import compile_app

    own = """
        ABSTRACT WORKSPACE Workspace (
            ABSTRACT TABLE CRecord (); ABSTRACT TABLE CDoc INHERITS CRecord ();
            ABSTRACT TABLE CSingleton INHERITS CDoc ();
            TABLE WorkspaceDescriptor INHERITS CSingleton (WSKind qname NOT NULL);
        );
        ALTERABLE WORKSPACE AppWorkspaceWS (DESCRIPTOR AppWorkspace ());
    """
    result = compile_app({"sys": {"sys.vsql": own}, "example.org/a": {"a.vsql": "APPLICATION a();"}})
    assert result.appdef is not None, result.diagnostics
    assert ensure_app_workspaces([data], Schemas(result.appdef), 1, registered_at=1) == [1]
    assert data.kind(1) == "sys.AppWorkspaceWS"


@pytest.mark.parametrize("field", ["WSKind", "WSID"])
def test_what_a_workspace_is_does_not_change(data, shop, ws, field):
    unit = data.begin(shop)
    descriptor = unit.singleton(ws, shop["sys.WorkspaceDescriptor"])
    unit.change(ws, descriptor.sys_ID, {"WSName": "other", field: getattr(descriptor, field)})
    with pytest.raises(RecordError, match=f"{field} of a record cannot be changed"):
        unit.change(ws, descriptor.sys_ID, {field: "shop.EmptyWS" if field == "WSKind" else 7})
