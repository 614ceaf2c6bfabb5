"""What a syntax error may cost: items and statements that the parser gives up to go on behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from statehold_vsql.syntax._actions import Items


class Level(Struct, frozen=True):
    """A rule that can be given up.

    It ends at one of `ends` outside of its parentheses, at the `)` around it, or where one of the next
    `beginnings` stands first in a line. `has_bodies` says that it may hold statements of its own.
    """

    ends: tuple[str, ...]
    beginnings: frozenset[str] = frozenset()
    has_bodies: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEVELS: Mapping[str, Level] = {
    "statement": Level(
        (";",),
        _words(
            "ABSTRACT ALTER ALTERABLE APPLICATION DECLARE EXTENSION IMPORT PARAMETER POOL PUBLISHED ROLE"
            " SECRET STATESTORAGE TEMPLATE WORKSPACE"
        ),
        has_bodies=True,
    ),
    "workspace_statement": Level(
        (";",),
        _words(
            "ABSTRACT ALTERABLE EXTENSION GRANT LIMIT POOL PUBLISHED RATE REVOKE ROLE TABLE TAG TYPE USE"
            " VIEW WORKSPACE"
        ),
        has_bodies=True,
    ),
    "extension": Level((";",), _words("COMMAND FUNCTION JOB PROJECTOR QUERY STORAGE SYNC")),
    "use": Level((";",), _words("USE")),
    "storage": Level((";", ","), _words("STORAGE")),
    "operation": Level((",",), _words("GET GETBATCH INSERT READ UPDATE")),
    "storage_field": Level((",",)),
    "item": Level((",",)),
    "view_item": Level((",",)),
}

# The lists in the grammar, with the level of their items.
LISTS: Mapping[str, str] = {
    "open": "statement",
    "free": "statement",
    "some{workspace_statement}": "workspace_statement",
    "direct_statements": "workspace_statement",
    "descriptor": "workspace_statement",
    "some{extension}": "extension",
    "some{use}": "use",
    "storages_open": "storage",
    "storages_set": "storage",
    "operations": "operation",
    "storage_fields": "storage_field",
    "items_open": "item",
    "items_closed": "item",
    "view_items_1": "view_item",
}

# The empty rules that stand before a first item, with the value they have.
BEFORE: Mapping[str, Callable[[], Any]] = {
    "ready": Items,
    "before": lambda: None,
    "storages_before": Items,
    "items_before": Items,
}

# How the statements begin that hold statements.
BODIES = _words(
    "ABSTRACT ALTER ALTERABLE APPLICATION EXTENSION POOL STATESTORAGE WORKSPACE"
    " workspace_begin workspace_kind"
)

# The words that come first inside of those.
INSIDE = frozenset.union(
    _words("DESCRIPTOR"),
    *(LEVELS[name].beginnings for name in ("workspace_statement", "extension", "use", "storage")),
)
