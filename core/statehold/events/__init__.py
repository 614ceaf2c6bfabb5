"""What an app remembers: events in logs, records that they change, and views that are computed from them."""

from __future__ import annotations

from statehold.events._cache import RowCache
from statehold.events._entities import entities_of, entity_rows
from statehold.events._errors import (
    BrokenReferenceError,
    ConflictError,
    EventsError,
    LogError,
    RecordError,
    RecordMissingError,
    WorkspaceError,
)
from statehold.events._event import ERROR_EVENT, Cud, Event, EventError
from statehold.events._indexing import index_uniques, unindexed
from statehold.events._partition import PartitionData
from statehold.events._reader import Reader
from statehold.events._replay import replay
from statehold.events._schemas import Schemas
from statehold.events._shape import Shape
from statehold.events._table import TableShape
from statehold.events._triggers import Triggers
from statehold.events._unit import Unit
from statehold.events._view import ViewShape
from statehold.events._workspaces import (
    allocate_workspace,
    allocated_workspaces,
    create_workspace,
    ensure_app_workspaces,
)

__all__ = [
    "ERROR_EVENT",
    "BrokenReferenceError",
    "ConflictError",
    "Cud",
    "Event",
    "EventError",
    "EventsError",
    "LogError",
    "PartitionData",
    "Reader",
    "RecordError",
    "RecordMissingError",
    "RowCache",
    "Schemas",
    "Shape",
    "TableShape",
    "Triggers",
    "Unit",
    "ViewShape",
    "WorkspaceError",
    "allocate_workspace",
    "allocated_workspaces",
    "create_workspace",
    "ensure_app_workspaces",
    "entities_of",
    "entity_rows",
    "index_uniques",
    "replay",
    "unindexed",
]
