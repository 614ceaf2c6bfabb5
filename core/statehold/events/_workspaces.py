from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from statehold.events import _layout as layout
from statehold.events._errors import WorkspaceError
from statehold.events._event import Event
from statehold.events._partition import PartitionData
from statehold.events._schemas import Schemas
from statehold.events._shape import decode, encode
from statehold.events._staged import Insert
from statehold.events._table import TableShape
from statehold.events._unit import Unit
from statehold.rows import CompareAndSwap, PutIfAbsent, RowStore

_APP: Final = "sys.AppWorkspaceWS"
_CREATED: Final = "sys.CreateWorkspace"


def allocate_workspace(store: RowStore) -> int:
    """Return an id for a new workspace that no other has, from 65537 on; one not used is not given again."""
    while True:
        row = store.get(layout.META, layout.WORKSPACE)
        workspace: int = layout.FIRST_WORKSPACE if row is None else decode(row) + 1
        change = (
            PutIfAbsent(layout.META, layout.WORKSPACE, encode(workspace))
            if row is None
            else CompareAndSwap(layout.META, layout.WORKSPACE, row, encode(workspace))
        )
        if store.write([change]):
            return workspace


def allocated_workspaces(store: RowStore) -> range:
    """Return the ids that `allocate_workspace` has given out; some may have been left unused."""
    row = store.get(layout.META, layout.WORKSPACE)
    return range(layout.FIRST_WORKSPACE, layout.FIRST_WORKSPACE if row is None else int(decode(row)) + 1)


def create_workspace(
    unit: Unit,
    workspace: int,
    *,
    kind: str,
    name: str,
    registered_at: int,
    descriptor: Mapping[str, Any] | None = None,
    owner: int = 0,
) -> Event:
    """Append the event that makes a workspace: its `sys.WorkspaceDescriptor`, and the DESCRIPTOR of its kind.

    The workspace belongs to the partition of the unit, which the caller sees to and commits.

    Args:
        unit: what to write into.
        workspace: its id (`allocate_workspace`).
        kind: the qualified name of its kind.
        name: what people call it.
        registered_at: milliseconds since 1970.
        descriptor: the fields of the DESCRIPTOR of its kind, as JSON.
        owner: the workspace that owns it, 0 for none.

    Raises:
        WorkspaceError: there is such a workspace already, or the kind is abstract or unknown.
        SchemaError: the descriptor's fields do not fit.

    """
    schemas = unit.schemas
    definition = schemas.workspaces.get(kind)
    if definition is None or definition.abstract:
        what = "is abstract" if definition is not None else "is no kind of workspace"
        raise WorkspaceError(f"workspace {workspace}: {kind} {what}", workspace=workspace, entity=kind)
    if unit.get((layout.RECORDS, workspace), (layout.DESCRIPTOR_ID,)) is not None:
        raise WorkspaceError(f"there is a workspace {workspace} already", workspace=workspace, entity=kind)
    shape: TableShape = schemas[layout.DESCRIPTOR]
    facts = {
        "WSName": name,
        "WSKind": kind,
        "WSID": workspace,
        "OwnerWSID": owner or None,
        "CreatedAtMs": registered_at,
        "InitStartedAtMs": registered_at,
        "InitCompletedAtMs": registered_at,
        "Status": 0,
    }
    # An image may bring a `sys` whose descriptor has fewer fields.
    known = {field.name for field in shape.rows.value_fields}
    value = shape.rows.value(**{field: fact for field, fact in facts.items() if field in known})
    unit.staged.append(Insert(workspace, shape, shape.check(value)))
    if definition.descriptor is not None:
        own: TableShape = schemas[definition.descriptor]
        unit.staged.append(Insert(workspace, own, own.from_json(dict(descriptor or {}))))
    return unit.append(_CREATED, workspace, registered_at=registered_at)


def ensure_app_workspaces(
    partitions: Sequence[PartitionData], schemas: Schemas, count: int, *, registered_at: int
) -> list[int]:
    """Make those of the app's workspaces 1 to *count* that are not there yet, and return their ids.

    A workspace lies in the partition *workspace* modulo the number of *partitions*, which are in order.
    """
    made = []
    for workspace in range(1, count + 1) if _APP in schemas.workspaces else ():
        data = partitions[workspace % len(partitions)]
        if data.kind(workspace) is None:
            unit = data.begin(schemas)
            create_workspace(unit, workspace, kind=_APP, name=f"app {workspace}", registered_at=registered_at)
            unit.commit()
            made.append(workspace)
    return made
