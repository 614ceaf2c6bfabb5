"""What is run so often that SQLAlchemy would take most of the time: on its connections to SQLite, past it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection


def run_on_driver(
    connection: Connection, text: str, rows: Iterable[Sequence[Any]] | None = None
) -> list[Any]:
    """Run SQL that is run for each transaction, without what SQLAlchemy does around it; return its rows.

    The errors are those of sqlite3, as they are; with another database they are those of SQLAlchemy, which
    takes no time there beside the way to the server. With *rows*, it is run for each of them, by SQLite.
    """
    if connection.dialect.name != "sqlite":
        result = connection.exec_driver_sql(text)
        return list(result) if result.returns_rows else []
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


def begin(connection: Connection) -> None:
    """Begin a transaction that writes; what SQLAlchemy is asked to run afterwards is a part of it."""
    if connection.dialect.name == "sqlite":
        begin_immediate(connection)
    else:
        connection.begin()


def begin_immediate(connection: Connection) -> None:
    """Begin a transaction of SQLite, if there is none, with its lock.

    The driver would begin with the first write: what was read before could be old by then.
    """
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        driver.execute("BEGIN IMMEDIATE")


def commit(connection: Connection) -> None:
    """Commit what `begin` has begun."""
    if connection.in_transaction():
        connection.commit()
    else:
        driver: Any = connection.connection.driver_connection
        driver.commit()


def roll_back(connection: Connection) -> None:
    """Undo what was done since `begin`."""
    if connection.in_transaction():
        connection.rollback()
    else:
        driver: Any = connection.connection.driver_connection
        driver.rollback()
