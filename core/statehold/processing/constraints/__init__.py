"""What of the results a request wants: `order, limit, skip, include, keys, where`."""

from __future__ import annotations

from statehold.processing.constraints._columns import Column, Columns
from statehold.processing.constraints._parse import (
    NO_CONSTRAINTS,
    Condition,
    Constraints,
    Order,
    parse_constraints,
)
from statehold.processing.constraints._paths import Path, paths, spelled
from statehold.processing.constraints._selecting import Everything, Selector, orders_like
from statehold.processing.constraints._where import compile_where, fixed

__all__ = [
    "NO_CONSTRAINTS",
    "Column",
    "Columns",
    "Condition",
    "Constraints",
    "Everything",
    "Order",
    "Path",
    "Selector",
    "compile_where",
    "fixed",
    "orders_like",
    "parse_constraints",
    "paths",
    "spelled",
]
