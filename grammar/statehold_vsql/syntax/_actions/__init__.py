"""What the rules of `vsql.lark` do: build one node of the syntax tree each, while the text is parsed.

An action gets the values of the rule's symbols: a Token for a keyword, a Span for a parenthesis,
None for `,` and `;`, a node for everything else.
"""

from __future__ import annotations

from statehold_vsql.syntax._actions import (
    _expressions,
    _extensions,
    _files,
    _lists,
    _names,
    _rights,
    _storages,
    _tables,
    _workspaces,
)
from statehold_vsql.syntax._actions._common import LOST, Action, Items
from statehold_vsql.syntax._actions._names import TYPE_WORDS

ACTIONS: dict[str, Action] = {
    **_lists.actions,
    **_files.actions,
    **_storages.actions,
    **_extensions.actions,
    **_workspaces.actions,
    **_tables.actions,
    **_rights.actions,
    **_names.actions,
    **_expressions.actions,
}

__all__ = ["ACTIONS", "LOST", "TYPE_WORDS", "Action", "Items"]
