from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert


def upsert(connection: Connection, table: Table, key: Iterable[str], changed: Iterable[str]) -> Insert:
    """Return the statement that inserts a row, or gives one of the same key new values in *changed*.

    It is one statement over a unique key: nobody comes between a look and a write.
    """
    make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table)
    done: Insert = statement.on_conflict_do_update(
        index_elements=list(key), set_={name: statement.excluded[name] for name in changed}
    )
    return done
