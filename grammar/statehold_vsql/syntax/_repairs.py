"""The small repairs of a text at a syntax error: each changes a token or two, and must hold for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from statehold_vsql.syntax._actions import Items
from statehold_vsql.syntax._levels import INSIDE, LEVELS
from statehold_vsql.syntax._outlook import Outlook
from statehold_vsql.syntax._reports import Reports
from statehold_vsql.syntax._tables import END
from statehold_vsql.syntax._tokens import Lexeme, Token, span_at
from statehold_vsql.syntax.nodes import AlterWorkspace, Name, Workspace

# For how many tokens a repair must hold, and one that is only a separator.
_ENOUGH = 5
_FEWEST = 3
_SEPARATORS = (",", ";")
NAMES = frozenset(("NAME", "DOTTED", "STRING", "RAW", "NUMBER"))

# The tokens to read instead of the one found, and where the text goes on.
Repair = tuple[list[Lexeme], int]


class Repairs:
    """Finds what is meant."""

    def __init__(self, outlook: Outlook, reports: Reports) -> None:
        self._text = outlook.text
        self._look = outlook
        self._reports = reports

    def find(self, states: list[int], found: Lexeme, expected: list[str]) -> Repair | None:
        """Return the tokens to read instead of the one found, and where to go on."""
        kind, _, start, end = found
        for keyword, until in self._reports.meant(found, expected):
            meant: Lexeme = (keyword, Token(keyword, span_at(self._text, start, until)), start, until)
            if self._look.reach(states, [meant], until, behind=until) > 0:
                return [meant], until
        best: Repair | None = None
        furthest = _FEWEST - 1
        for tokens, position in self._attempts(states, found, expected):
            if position < end and self._is_misread(states, tokens, found):
                continue
            reach = self._look.reach(states, tokens, position, behind=end)
            made = tokens[0][0] if tokens else kind
            if reach > furthest and (reach >= _ENOUGH or made in _SEPARATORS):
                best, furthest = (tokens, position), reach
        return best

    def _attempts(self, states: list[int], found: Lexeme, expected: list[str]) -> Iterator[Repair]:
        kind, _, start, end = found
        if kind == END:
            closing = self._look.closing(states)
            if closing:
                yield self._look.signs(closing, start), start
            return
        for sign in _SEPARATORS:
            if sign in expected:
                if kind in _SEPARATORS:
                    yield self._look.signs([sign], start), end
                yield self._look.signs([sign], start), start
        dropped: Repair = ([], end)
        closed = (self._look.signs([")"], start), start)
        # A `;` in a list says that the list has no end, a second `;` says nothing.
        is_end_of_list = (
            kind == ";"
            and ")" in expected
            and (self._before(start) != ";" or self._look.surplus(states, start) < 0)
        )
        yield from (closed, dropped) if is_end_of_list else (dropped,)
        for sign in ")(":
            if sign in expected and (sign == ")" or self._look.surplus(states, start) > 0):
                yield self._look.signs([sign], start), start
        if ")" in expected and kind in INSIDE and self._look.surplus(states, start) < 0:
            yield self._look.signs([")", ";"], start), start
        if kind[0].isupper() and kind not in NAMES:
            for word in expected:
                if word[0].isupper() and word not in NAMES:
                    yield self._look.words([word], start), start

    def _is_misread(self, states: list[int], made: list[Lexeme], found: Lexeme) -> bool:
        """Whether a keyword counts as a name behind the tokens that are made up."""
        _, _, start, end = found
        written = self._text[start:end]
        if written not in self._look.lexer.words:
            return False
        stack = list(states)
        return (
            all(self._look.feed(stack, kind) for kind, *_ in made)
            and self._look.go_on([], start).send(self._look.tables.actions[stack[-1]])[0] == "NAME"
        )

    def reopen(self, states: list[int], values: list[Any], found: Lexeme) -> tuple[list[Lexeme], str] | None:
        """Open a block again that one `)` too many has closed, so that its rest is read as what it is.

        Returns the tokens to read instead of the one found, and the name of the block.
        """
        kind, _, start, _ = found
        actions = self._look.tables.actions[states[-1]]
        if kind in actions:
            return None
        if kind in LEVELS["extension"].beginnings and self._look.feed(list(states), "EXTENSION"):
            made = self._look.words(["EXTENSION", "ENGINE", "BUILTIN"], start)
            missing = "EXTENSION ENGINE"
        elif kind in LEVELS["workspace_statement"].beginnings:
            abstract = self._look.tables.symbols[states[-1]] == "ABSTRACT"
            name = _last_workspace(values)
            if name is None or not self._look.feed(states[:-1] if abstract else list(states), "STATESTORAGE"):
                return None
            made = [*self._look.words(["ALTER", "WORKSPACE"], start), ("NAME", name, start, start)]
            missing = "WORKSPACE"
        else:
            return None
        if self._look.surplus(states, start) <= 0:
            return None
        opened = self._look.signs(["("], start)
        if missing == "WORKSPACE" and abstract:
            del states[-1]
            opened.append(("ABSTRACT", values.pop(), start, start))
        return [*made, *opened, found], missing

    def _before(self, position: int) -> str:
        return self._text[max(0, position - 200) : position].rstrip()[-1:]


def _last_workspace(values: list[Any]) -> Name | None:
    statements = values[0] if values and isinstance(values[0], Items) else Items()
    for statement in reversed(statements):
        if isinstance(statement, Workspace):
            return statement.name
        if isinstance(statement, AlterWorkspace) and not statement.workspace.package:
            return Name(statement.workspace.name, statement.workspace.span)
    return None
