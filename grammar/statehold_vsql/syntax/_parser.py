from __future__ import annotations

import functools
from typing import Any

from statehold_vsql.syntax._actions import ACTIONS, Action
from statehold_vsql.syntax._recovery import Recovery
from statehold_vsql.syntax._tables import END, load_tables
from statehold_vsql.syntax._tokens import Lexer
from statehold_vsql.syntax.nodes import File

# Deeper than anything meant, and shallow enough for every recursion over the tree.
_DEEPEST = 200
_NESTING = ("(", "NOT")


class Parser:
    """A parser driven by the tables of the grammar, which keeps nothing of the texts it parses."""

    def __init__(self) -> None:
        self.tables = load_tables()
        self.lexer = Lexer(self.tables)
        # Whatever has no action has one child, which is passed on.
        self._rules: tuple[tuple[str, int, Action | None], ...] = tuple(
            (name, size, ACTIONS.get(action)) for name, size, action in self.tables.rules
        )

    def parse(self, text: str, recovery: Recovery) -> File:
        """Return the tree of a text; what is wrong with it is told to `recovery`, which mends it."""
        actions, gotos, rules = self.tables.actions, self.tables.gotos, self._rules
        states = [0]
        values: list[Any] = []
        row = actions[0]
        lexemes = self.lexer.tokens(text)
        next(lexemes)
        take = lexemes.send
        while True:
            kind, value, start, end = take(row)
            while True:
                step = row.get(kind)
                if step is None or (kind in _NESTING and len(states) > _DEEPEST):
                    lexemes = recovery.recover(states, values, (kind, value, start, end))
                    take = lexemes.send
                    row = actions[states[-1]]
                    break
                if step >= 0:
                    if kind == END:
                        tree: File = values[-1]
                        return tree
                    states.append(step)
                    values.append(value)
                    row = actions[step]
                    break
                name, size, action = rules[~step]
                if size == 1:
                    del states[-1]
                    if action is not None:
                        values[-1] = action(values[-1:])
                elif size:
                    children = values[-size:]
                    del values[-size:], states[-size:]
                    values.append(action(children))  # type: ignore[misc]  # one child only lacks an action
                else:
                    values.append(action([]))  # type: ignore[misc]
                state = gotos[states[-1]][name]
                states.append(state)
                row = actions[state]


@functools.cache
def parser() -> Parser:
    """Return the parser of the language, made at the first use."""
    return Parser()
