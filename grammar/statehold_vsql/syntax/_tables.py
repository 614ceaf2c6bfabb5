"""The LALR tables of the language: read from `vsql.tables`, or built from the grammar by Lark.

Building takes far longer than all checks of a usual application, so the tables travel with the
installation. They name the digest of the grammar they were made of: after an edit of `vsql.lark`
they are built in memory until `make tables` has written them anew.
"""

from __future__ import annotations

import functools
import json
import pkgutil
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct

END = "$END"

_FORMAT = 1
_read = pkgutil.get_data


class Tables(Struct, frozen=True, kw_only=True, dict=True):
    """What a table-driven LALR parser needs, keyed by state.

    `actions[state]` maps a token to the state to shift to, or to `~rule` to reduce by; `gotos[state]`
    maps a reduced rule's name to the next state. `rules` are name, number of symbols and action;
    `patterns` the regular expressions of the tokens that are not keywords or signs. Parsing starts in
    state 0.
    """

    actions: tuple[Mapping[str, int], ...]
    gotos: tuple[Mapping[str, int], ...]
    rules: tuple[tuple[str, int, str], ...]
    patterns: Mapping[str, str]

    @functools.cached_property
    def symbols(self) -> tuple[str, ...]:
        """The token or rule that leads into each state (empty for the first)."""
        symbols = [""] * len(self.actions)
        for shifts, gotos in zip(self.actions, self.gotos, strict=True):
            for symbol, state in (*shifts.items(), *gotos.items()):
                if state >= 0:
                    symbols[state] = symbol
        return tuple(symbols)


@functools.cache
def load_tables() -> Tables:
    """Return the tables in step with the grammar, whatever state the tables' file is in."""
    grammar = _packaged("vsql.lark")
    try:
        return decode(_packaged("vsql.tables"), grammar=grammar)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        from statehold_vsql.syntax._building import build_tables  # noqa: PLC0415

        return build_tables(grammar)


def encode(tables: Tables, *, grammar: str) -> str:
    """Return the text of `vsql.tables`: the same for the same grammar."""
    rows: dict[str, int] = {}

    def number(row: Mapping[str, int]) -> int:
        # Many states share a row.
        return rows.setdefault(json.dumps(row, separators=(",", ":")), len(rows))

    document: dict[str, Any] = {
        "format": _FORMAT,
        "grammar": _digest(grammar),
        "patterns": dict(tables.patterns),
        "rules": tables.rules,
        "states": [
            (number(actions), number(gotos))
            for actions, gotos in zip(tables.actions, tables.gotos, strict=True)
        ],
    }
    lines = [f'"{key}":{json.dumps(value, separators=(",", ":"))}' for key, value in document.items()]
    lines.append('"rows":[\n' + ",\n".join(rows) + "\n]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def decode(text: str, *, grammar: str) -> Tables:
    """Return the tables written by `encode`; raises ValueError if they are not of this grammar."""
    document = json.loads(text)
    if document["format"] != _FORMAT or document["grammar"] != _digest(grammar):
        raise ValueError("the tables are not those of this grammar")
    rows = document["rows"]
    return Tables(
        actions=tuple(rows[actions] for actions, _ in document["states"]),
        gotos=tuple(rows[gotos] for _, gotos in document["states"]),
        rules=tuple((name, size, action) for name, size, action in document["rules"]),
        patterns=document["patterns"],
    )


def _packaged(name: str) -> str:
    content = _read("statehold_vsql", name)
    if content is None:
        raise FileNotFoundError(name)
    return content.decode("utf-8")


def _digest(grammar: str) -> str:
    return sha256(grammar.encode()).hexdigest()
