"""What happens at a syntax error: one report, a repair of the text, or the least part of it given up.

First the small repairs: a misspelt keyword, a missing separator or parenthesis, a token too many. One
counts if the text then goes on for some tokens. Otherwise the innermost item or statement around the
error is given up (panic mode): the parser's stack is cut back to where it began, it counts as read,
and the text is skipped up to a token that can stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import attrs

from statehold_vsql.syntax._actions import LOST, Items
from statehold_vsql.syntax._levels import BEFORE, BODIES, LEVELS, LISTS, Level
from statehold_vsql.syntax._reports import Reports
from statehold_vsql.syntax._tables import END, Tables
from statehold_vsql.syntax._tokens import ANYTHING, PROBLEM, Lexeme, Lexer, Problem, Token, span_at
from statehold_vsql.syntax.nodes import Span

# How many tokens are read to see whether a repair holds, and how many must at least stand.
_LOOKAHEAD = 6
_FEWEST = 3
_SEPARATORS = (",", ";")
_INSERTED = (",", ";", ")", "(")
_IDENTIFIER = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*+")

Lexemes = Generator[Lexeme, Mapping[str, int], None]


@attrs.frozen
class _Cut:
    """One way to give something up: the stacks are cut to `index`, `states` and `values` go on top."""

    level: Level
    index: int
    states: tuple[int, ...]
    values: tuple[Any, ...]


class Recovery:
    """The errors of one text, and how parsing goes on after each."""

    def __init__(self, text: str, tables: Tables, lexer: Lexer, reports: Reports) -> None:
        self._text = text
        self._tables = tables
        self._lexer = lexer
        self._reports = reports
        self._line_starts: list[int] = []
        self.damaged_names: set[str] = set()
        self.is_partial = False

    def recover(self, states: list[int], values: list[Any], found: Lexeme) -> Lexemes:
        """Report the token that cannot stand here, mend the parser's stacks, and return what to read next."""
        kind, value, start, end = found
        if kind == PROBLEM:
            return self._stand_in(states, values, value, start, end)
        if kind != END and self._feed(list(states), kind):
            self._reports.add("nesting", "this is nested too deeply", span_at(self._text, start, end))
            return self._give_up(states, values)
        expected = [token for token in self._tables.actions[states[-1]] if self._feed(list(states), token)]
        repair = self._repair(states, found, expected)
        inserted = repair[0][0][0] if repair is not None and len(repair[0]) > 1 else ""
        self._reports.unexpected(found, expected, inserted=inserted, opened=self._opened(states, values))
        if self._reports.is_full:
            return self._give_up(states, values)
        if repair is not None:
            return self._go_on(*repair)
        return self._panic(states, values, found)

    def _stand_in(
        self, states: list[int], values: list[Any], problem: Problem, start: int, end: int
    ) -> Lexemes:
        self._reports.add("token", problem.message, problem.span, problem.hint)
        if self._reports.is_full or end == len(self._text):
            # An open comment or text has swallowed the rest: what seems to be missing may be in there.
            return self._close(states, values, end)
        if problem.kind is not None and self._feed(list(states), problem.kind):
            return self._go_on([(problem.kind, problem.value, start, end)], end)
        self._damage(start, end)
        return self._go_on([], end)

    def _go_on(self, first: Sequence[Lexeme], position: int) -> Lexemes:
        lexemes = self._lexer.tokens(self._text, position, first=first)
        next(lexemes)
        return lexemes

    # --- repairs

    def _repair(
        self, states: list[int], found: Lexeme, expected: list[str]
    ) -> tuple[list[Lexeme], int] | None:
        """Return the tokens to read instead of the one found, and where to go on."""
        _, _, start, end = found
        for keyword, until in self._reports.meant(found, expected):
            meant: Lexeme = (keyword, Token(keyword, span_at(self._text, start, until)), start, until)
            if self._reach(states, [meant], until) > 0:
                return [meant], until
        best: tuple[list[Lexeme], int] | None = None
        furthest = _FEWEST - 1
        for tokens, position in self._attempts(states, found, expected):
            reach = self._reach(states, tokens, position)
            if reach > furthest:
                best, furthest = (tokens, position), reach
        if best == ([], end):
            self._damage(start, end)
        return best

    def _attempts(
        self, states: list[int], found: Lexeme, expected: list[str]
    ) -> Iterator[tuple[list[Lexeme], int]]:
        kind, _, start, end = found
        if kind == END:
            closing = self._closing(states)
            if closing:
                yield [*self._signs(closing, start), found], end
            return
        if kind in _SEPARATORS:
            for sign in _SEPARATORS:
                if sign in expected:
                    yield self._signs([sign], start), end
        for sign in _INSERTED:
            if sign in expected:
                yield [*self._signs([sign], start), found], end
        yield [], end

    def _signs(self, signs: Sequence[str], position: int) -> list[Lexeme]:
        span = span_at(self._text, position, position)
        return [(sign, span if sign in "()" else None, position, position) for sign in signs]

    def _closing(self, states: list[int]) -> list[str]:
        """Return the parentheses that are missing at the end of the text, if nothing else is."""
        stack = list(states)
        closing: list[str] = []
        while not self._feed(list(stack), END):
            if not self._feed(stack, ")"):
                return []
            closing.append(")")
        return closing

    def _reach(self, states: list[int], first: list[Lexeme], position: int) -> int:
        """Return how many tokens of the text behind `first` are read without an error: all, or some."""
        stack = list(states)
        lexemes = self._go_on(first, position)
        for count in range(-len(first), _LOOKAHEAD):
            kind = lexemes.send(self._tables.actions[stack[-1]])[0]
            if not self._feed(stack, kind):
                return count
            if kind == END:
                break
        return _LOOKAHEAD

    def _feed(self, stack: list[int], kind: str) -> bool:
        """Take a token up in a stack of states alone; return False if it cannot stand there."""
        while True:
            step = self._tables.actions[stack[-1]].get(kind)
            if step is None:
                return False
            if step >= 0:
                stack.append(step)
                return True
            name, size, _ = self._tables.rules[~step]
            if size:
                del stack[-size:]
            stack.append(self._tables.gotos[stack[-1]][name])

    # --- panic mode

    def _panic(self, states: list[int], values: list[Any], found: Lexeme) -> Lexemes:
        """Give up the innermost thing behind which the text can go on; the text is read once for all."""
        problems: list[Problem] = []
        skipped = self._skip(found, problems)
        kind, _, start, _ = token = next(skipped)
        depth = 0  # of the parentheses in the text that is skipped
        for cut in self._cuts(states):
            given_up = (
                self._tables.symbols[states[cut.index + 1]] if cut.index + 1 < len(states) else found[0]
            )
            has_body = cut.level.has_bodies and given_up in BODIES
            unclosed = self._unclosed(states[cut.index + 1 :])
            while True:
                stop = self._stop(cut, kind, start, depth=depth, unclosed=unclosed, has_body=has_body)
                if stop is not None:
                    stack = [*states[: cut.index + 1], *cut.states]
                    made = self._signs([*stop, *(self._closing(stack) if kind == END else ())], start)
                    if all(self._feed(stack, sign) for sign, *_ in made) and self._feed(stack, kind):
                        for problem in problems:
                            self._reports.add("token", problem.message, problem.span, problem.hint)
                        self._cut(cut, states, values, found, start)
                        return self._go_on([*made, token], token[3])
                if kind == END or (kind == ")" and depth + unclosed <= 0) or (kind == ";" and not has_body):
                    break  # nothing further on belongs to what this level is in
                depth += (kind == "(") - (kind == ")")
                kind, _, start, _ = token = next(skipped)
        return self._give_up(states, values)

    def _stop(
        self, cut: _Cut, kind: str, start: int, *, depth: int, unclosed: int, has_body: bool
    ) -> Sequence[str] | None:
        """Return the signs to put before a token that may follow what is given up; None if it may not."""
        level = cut.level
        if kind == END or (kind == ")" and depth + unclosed <= 0):
            return ()
        if kind in level.ends and (depth + unclosed <= 0 or (kind == ";" and not has_body)):
            return ()
        if kind in level.beginnings and depth <= 0 and not has_body and self._leads_line(start):
            return level.ends[:1]
        return None

    def _cuts(self, states: list[int]) -> Iterator[_Cut]:
        """Yield what can be given up, the innermost first."""
        gotos = self._tables.gotos
        for index in range(len(states) - 1, -1, -1):
            here = gotos[states[index]]
            for name, level in LEVELS.items():
                if name in here:
                    yield _Cut(level, index, (here[name],), (LOST,))
                for before, made in BEFORE.items():
                    if before in here and name in gotos[here[before]]:
                        yield _Cut(level, index, (here[before], gotos[here[before]][name]), (made(), LOST))
            listed = LISTS.get(self._tables.symbols[states[index]])
            if listed is not None:
                yield _Cut(LEVELS[listed], index, (), ())

    def _skip(self, found: Lexeme, problems: list[Problem]) -> Iterator[Lexeme]:
        yield found
        lexemes = self._go_on([], found[3])
        while True:
            lexeme = lexemes.send(ANYTHING)
            if lexeme[0] == PROBLEM:
                problems.append(lexeme[1])
            else:
                yield lexeme

    def _cut(self, cut: _Cut, states: list[int], values: list[Any], found: Lexeme, until: int) -> None:
        self._damage(self._begin_of(values[cut.index :], found), until)
        del states[cut.index + 1 :], values[cut.index :]
        states.extend(cut.states)
        values.extend(cut.values)
        if not cut.values and values and isinstance(values[-1], Items):
            values[-1].is_partial = True

    def _close(self, states: list[int], values: list[Any], position: int) -> Lexemes:
        """End the text here, and close what is open."""
        end: Lexeme = (END, Token("", span_at(self._text, position, position)), position, position)
        for cut in (_Cut(LEVELS["item"], len(states) - 1, (), ()), *self._cuts(states)):
            stack = [*states[: cut.index + 1], *cut.states]
            closing = self._closing(stack)
            if all(self._feed(stack, sign) for sign in [*closing, END]):
                self._cut(cut, states, values, end, position)
                return self._go_on([*self._signs(closing, position), end], position)
        return self._give_up(states, values)

    def _give_up(self, states: list[int], values: list[Any]) -> Lexemes:
        """End the file behind its last whole statement."""
        length = len(self._text)
        end: Lexeme = (END, Token("", span_at(self._text, length, length)), length, length)
        items = values[0] if values and isinstance(values[0], Items) else Items()
        self._damage(self._begin_of(values[1:], end), length)
        states[:] = [0, self._tables.gotos[0]["ready"]]
        values[:] = [items]
        return self._go_on([end], length)

    # --- where things are

    def _damage(self, start: int, end: int) -> None:
        self.is_partial = True
        self.damaged_names.update(_IDENTIFIER.findall(self._text, start, end))

    def _begin_of(self, values: list[Any], found: Lexeme) -> int:
        for value in values:
            span = _span_of(value)
            if span is not None:
                if not self._line_starts:
                    self._line_starts = [0, *(found.end() for found in re.finditer("\n", self._text))]
                return min(self._line_starts[span.line - 1] + span.column - 1, found[2])
        return found[2]

    def _leads_line(self, position: int) -> bool:
        while position and self._text[position - 1] in " \t\r":
            position -= 1
        return position == 0 or self._text[position - 1] == "\n"

    def _unclosed(self, states: list[int]) -> int:
        symbols = [self._tables.symbols[state] for state in states]
        return symbols.count("(") - symbols.count(")")

    def _opened(self, states: list[int], values: list[Any]) -> Span | None:
        """Return where the innermost parenthesis was opened that is not closed yet."""
        closed = 0
        for state, value in zip(reversed(states[1:]), reversed(values), strict=True):
            symbol = self._tables.symbols[state]
            closed += symbol == ")"
            if symbol == "(":
                if not closed:
                    span: Span = value
                    return span
                closed -= 1
        return None


def _span_of(value: Any) -> Span | None:
    while isinstance(value, (tuple, list)) and value:
        value = value[0]
    if isinstance(value, Span):
        return value
    for attribute in ("span", "word", "begin"):
        found = getattr(value, attribute, None)
        if found is not None:
            return _span_of(found)
    return None
