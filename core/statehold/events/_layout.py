"""Where rows of records, views and logs stand in the row store of an app.

| partition columns | clustering columns | value |
|---|---|---|
| "plog", partition | offset of the first | events that were committed together |
| "wlog", workspace | number of a block of 32 offsets | partition, and where its events stand there |
| "rec", workspace | id | the record, a map by field name |
| "docs", workspace, table | id | empty; records of CDoc tables |
| "kids", workspace | parent, container, id | empty |
| "uniq", workspace, table, fields | values, by name of the field | the record's id |
| "indexed", partition | | which uniques have the rows of all records |
| "view", name, workspace, partition key | clustering columns of the view | its values, a map by field name |
| "proj", partition | name of the projector | the offset up to which it has come |
| "outbox", partition | number | what is still to be done |
| "meta" | "singletons" | the ids of singletons by table |
| "meta" | "workspace" | the last workspace id that was given out |
"""

from __future__ import annotations

from typing import Final

PLOG: Final = "plog"
WLOG: Final = "wlog"
RECORDS: Final = "rec"
DOCS: Final = "docs"
KIDS: Final = "kids"
UNIQUES: Final = "uniq"
INDEXED: Final = "indexed"
VIEW: Final = "view"
PROJECTORS: Final = "proj"
OUTBOX: Final = "outbox"
META: Final = ("meta",)
SINGLETONS: Final = ("singletons",)
WORKSPACE: Final = ("workspace",)

#: The table of which each workspace has one record, that says what it is.
DESCRIPTOR: Final = "sys.WorkspaceDescriptor"
#: What a new record may be called within one event.
MAX_RAW_ID: Final = 65_535
#: The id of `sys.WorkspaceDescriptor` in every workspace; those of other singletons follow.
DESCRIPTOR_ID: Final = 65_536
#: The first id of a record that is no singleton.
FIRST_ID: Final = 200_001
#: The first id of a workspace that is not one of the app's own.
FIRST_WORKSPACE: Final = 65_537
