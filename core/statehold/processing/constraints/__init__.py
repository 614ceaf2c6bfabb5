"""What of the results a request wants: `order, limit, skip, include, keys, where`."""

from __future__ import annotations

from statehold.processing.constraints._columns import Column, Columns
from statehold.processing.constraints._parse import Condition, Constraints, Order, parse_constraints
from statehold.processing.constraints._paths import Path, paths, spelled
from statehold.processing.constraints._selecting import Selector, orders_like
from statehold.processing.constraints._where import compile_where, fixed

__all__ = [
    "Column",
    "Columns",
    "Condition",
    "Constraints",
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
