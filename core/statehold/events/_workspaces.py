from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statehold.events._event import Event
from statehold.events._partition import PartitionData
from statehold.events._schemas import Schemas
from statehold.events._unit import Unit
from statehold.rows import RowStore


def allocate_workspace(store: RowStore) -> int:
    """Return an id for a new workspace that no other has, from 65537 on; one not used is not given again."""
    raise NotImplementedError


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
    raise NotImplementedError


def ensure_app_workspaces(
    partitions: Sequence[PartitionData], schemas: Schemas, count: int, *, registered_at: int
) -> list[int]:
    """Make those of the app's workspaces 1 to *count* that are not there yet, and return their ids.

    A workspace lies in the partition *workspace* modulo the number of *partitions*, which are in order.
    """
    raise NotImplementedError
