"""Package `sys` as it is shipped."""

from __future__ import annotations

from statehold_sys.contracts import CONTRACTS
from statehold_vsql.appdef import AccessKind, QName, TableKind


def _sys(*names: str) -> set[QName]:
    return {QName("sys", name) for name in names}


def test_sys_has_what_applications_stand_on(language) -> None:
    app = language.accepts("", contracts=CONTRACTS)
    assert set(app.storages) == _sys(*CONTRACTS)
    assert {s for s, d in app.storages.items() if d.entity_record} == _sys("Record", "Uniq")
    assert {s for s, d in app.storages.items() if d.entity_view} == _sys("View")
    assert all(storage.comment for storage in app.storages.values())
    kinds = {name.name: (table.kind, table.singleton) for name, table in app.tables.items() if table.abstract}
    assert kinds == {
        **{kind.value: (kind, False) for kind in TableKind},
        "CSingleton": (TableKind.CDOC, True),
        "WSingleton": (TableKind.WDOC, True),
    }
    assert app.tables[QName("sys", "WorkspaceDescriptor")].singleton
    assert app.types[QName("sys", "Raw")].fields[0].field.max_length == 65535


def test_sys_has_the_workspaces_roles_and_tags_of_upstream(language) -> None:
    app = language.accepts("")
    assert set(app.workspaces) == _sys(
        "Workspace", "AppWorkspaceWS", "ProfileWS", "UserProfileWS", "DeviceProfileWS"
    )
    assert app.workspaces[QName("sys", "AppWorkspaceWS")].alterable
    assert set(app.roles) == _sys(
        *("Everyone", "Anonymous", "AuthenticatedUser", "System", "ProfileOwner", "WorkspaceDevice"),
        *("WorkspaceOwner", "WorkspaceAdmin", "ClusterAdmin", "BLOBUploader"),
    )
    assert set(app.tags) == _sys(
        *(
            "AllowedToAuthenticatedTag",
            "WorkspaceOwnerTableTag",
            "WorkspaceOwnerFuncTag",
            "AllowedToEveryoneTag",
        )
    )
    roles = {
        (g.target.name, g.role.name) for g in app.grants if g.kind is AccessKind.ROLE and g.target is not None
    }
    assert roles == {
        ("WorkspaceOwner", "ProfileOwner"),
        ("WorkspaceOwner", "WorkspaceDevice"),
        ("Everyone", "Anonymous"),
        ("Everyone", "AuthenticatedUser"),
    }
