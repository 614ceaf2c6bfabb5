"""The row store that records, views, uniques and logs stand on, and its drivers.

A row has a partition key, clustering columns that order it within the partition, and a value of bytes.
"""

from __future__ import annotations

from statehold.rows._changes import (
    Change,
    CompareAndDelete,
    CompareAndSwap,
    Delete,
    Outcome,
    Put,
    PutIfAbsent,
)
from statehold.rows._errors import (
    RowKeyError,
    RowStoreError,
    RowValueError,
    StoreBusyError,
    StoreClosedError,
    StoreDamagedError,
    StoreExistsError,
    StoreFullError,
    StoreHeldError,
    StoreMissingError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from statehold.rows._keys import MAX_KEY, Column, Columns, decode, encode
from statehold.rows._memory import MemoryDriver
from statehold.rows._options import Durability
from statehold.rows._postgres import PostgresDriver
from statehold.rows._protocols import Row, RowDriver, RowKey, RowStore
from statehold.rows._sqlite import SqliteDriver
from statehold.rows._steps import MAX_VALUE

__all__ = [
    "MAX_KEY",
    "MAX_VALUE",
    "Change",
    "Column",
    "Columns",
    "CompareAndDelete",
    "CompareAndSwap",
    "Delete",
    "Durability",
    "MemoryDriver",
    "Outcome",
    "PostgresDriver",
    "Put",
    "PutIfAbsent",
    "Row",
    "RowDriver",
    "RowKey",
    "RowKeyError",
    "RowStore",
    "RowStoreError",
    "RowValueError",
    "SqliteDriver",
    "StoreBusyError",
    "StoreClosedError",
    "StoreDamagedError",
    "StoreExistsError",
    "StoreFullError",
    "StoreHeldError",
    "StoreMissingError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "decode",
    "encode",
]
