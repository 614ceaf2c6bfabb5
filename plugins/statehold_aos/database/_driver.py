from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection


def run_on_driver(
    connection: Connection, text: str, rows: Sequence[Sequence[Any]] | None = None
) -> list[Any]:
    """Run SQL that is run for each transaction, without what SQLAlchemy does around it; return its rows.

    The errors are those of the driver, as they are. With *rows*, it is run for each of them.
    """
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        if rows is not None:
            cursor.executemany(text, rows)
            return []
        cursor.execute(text)
        found: list[Any] = cursor.fetchall() if cursor.description else []
        return found
    finally:
        cursor.close()
