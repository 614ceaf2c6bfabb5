"""What people see of a node: tables, and a bar of capacity for each pool."""

from __future__ import annotations

from statehold_zos.views._bars import LEGEND, bar
from statehold_zos.views._tables import (
    cells,
    disks_table,
    namespaces_table,
    pools_table,
    reasons,
    spaces_table,
    totals_table,
)

__all__ = [
    "LEGEND",
    "bar",
    "cells",
    "disks_table",
    "namespaces_table",
    "pools_table",
    "reasons",
    "spaces_table",
    "totals_table",
]
