"""What happens at a syntax error: one report, a repair of the text, or the least part of it given up.

First the small repairs: a misspelt keyword, a missing separator or parenthesis, a token too many. One
counts if the text then goes on for some tokens. Otherwise the innermost item or statement around the
error is given up (panic mode): the parser's stack is cut back to where it began, it counts as read,
and the text is skipped up to a token that can stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from statehold_vsql.syntax._actions import LOST, Items
from statehold_vsql.syntax._levels import BEFORE, BODIES, INSIDE, LEVELS, LISTS, Level
from statehold_vsql.syntax._outlook import Lexemes, Outlook
from statehold_vsql.syntax._repairs import NAMES, Repairs
from statehold_vsql.syntax._reports import Reports
from statehold_vsql.syntax._tables import END
from statehold_vsql.syntax._tokens import PROBLEM, Lexeme, Problem, Token, span_at
from statehold_vsql.syntax.nodes import Span

# Each time costs a look at the whole text, even where nothing is reported.
_MOST_TIMES = 400
_LAST_WORD = re.compile(r"\w+\Z")
_IDENTIFIER = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*+")


class _Cut(Struct, frozen=True):
    """One way to give something up: the stacks are cut to `index`, `states` and `values` go on top."""

    level: Level
    index: int
    states: tuple[int, ...]
    values: tuple[Any, ...]


class Recovery:
    """The errors of one text, and how parsing goes on after each."""

    def __init__(self, outlook: Outlook, reports: Reports) -> None:
        self._text = outlook.text
        self._look = outlook
        self._reports = reports
        self._repairs = Repairs(outlook, reports)
        self._line_starts: list[int] = []
        # Behind the token at which the last thing given up ended, if that was not `;`.
        self._resumed = 0
        self._gave_up = False
        self._times = 0
        self.damaged_names: set[str] = set()
        self.is_partial = False

    def recover(self, states: list[int], values: list[Any], found: Lexeme) -> Lexemes:
        """Report the token that cannot stand here, mend the parser's stacks, and return what to read next."""
        kind, value, start, end = found
        self._times += 1
        if self._times > _MOST_TIMES:
            self._reports.end(span_at(self._text, start, end))
            return self._give_up(states, values)
        if kind == PROBLEM:
            return self._stand_in(states, values, value, start, end)
        if kind != END and self._look.feed(list(states), kind):
            self._reports.add("nesting", "this is nested too deeply", span_at(self._text, start, end))
            return self._give_up(states, values)
        reopened = self._repairs.reopen(states, values, found)
        if reopened is not None:
            tokens, block = reopened
            if not self._gave_up:
                message = f'"{kind}" stands outside of {block} ( ... )'
                hint = 'a ")" before it closes the block too early'
                self._reports.add("syntax", message, span_at(self._text, start, end), hint)
            self._gave_up = True
            return self._look.go_on(tokens, end)
        if self._resumed and self._look.lexer.skip_gap(self._text, self._resumed) == start:
            return self._panic(states, values, found)  # the same error still
        expected = [
            token for token in self._look.tables.actions[states[-1]] if self._look.feed(list(states), token)
        ]
        repair = self._repairs.find(states, found, expected)
        inserted = repair[0][0][0] if repair is not None and repair[1] == start else ""
        if inserted.isupper() and sum(token.isupper() and token not in NAMES for token in expected) > 1:
            inserted = ""  # one of several words that would do
        self._reports.unexpected(found, expected, inserted=inserted, opened=self._opened(states, values))
        if self._reports.is_full:
            return self._give_up(states, values)
        if repair is not None:
            self._gave_up = False
            if not repair[0]:
                # A name that a stray point follows is half of another.
                last = _LAST_WORD.search(self._text, max(0, start - 255), start) if kind == "." else None
                self._damage(last.start() if last is not None else start, end)
            return self._look.go_on(*repair)
        return self._panic(states, values, found)

    def _stand_in(
        self, states: list[int], values: list[Any], problem: Problem, start: int, end: int
    ) -> Lexemes:
        self._reports.add("token", problem.message, problem.span, problem.hint)
        if self._reports.is_full or end == len(self._text):
            # An open comment or text has swallowed the rest: what seems to be missing may be in there.
            return self._close(states, values, end)
        if problem.kind is not None and self._look.feed(list(states), problem.kind):
            return self._look.go_on([(problem.kind, problem.value, start, end)], end)
        self._damage(start, end)
        return self._look.go_on([], end)

    # --- panic mode

    def _panic(self, states: list[int], values: list[Any], found: Lexeme) -> Lexemes:
        """Give up the innermost thing behind which the text can go on; the text is read once for all."""
        problems: list[Problem] = []
        skipped = self._skip(found, problems)
        kind, _, start, _ = token = next(skipped)
        depth = 0  # of the parentheses in the text that is skipped
        for cut in self._cuts(states, found[2]):
            given_up = (
                self._look.tables.symbols[states[cut.index + 1]] if cut.index + 1 < len(states) else found[0]
            )
            has_body = cut.level.has_bodies and given_up in BODIES
            unclosed = self._look.unclosed(states[cut.index + 1 :])
            while True:
                stop = self._stop(cut, kind, start, depth=depth, unclosed=unclosed, has_body=has_body)
                if stop is not None:
                    stack = [*states[: cut.index + 1], *cut.states]
                    made = self._look.signs(
                        [*stop, *(self._look.closing(stack) if kind == END else ())], start
                    )
                    if all(self._look.feed(stack, sign) for sign, *_ in made) and self._look.feed(
                        stack, kind
                    ):
                        for problem in problems:
                            self._reports.add("token", problem.message, problem.span, problem.hint)
                        self._cut(cut, states, values, found, start)
                        self._resumed = 0 if kind == ";" else token[3]
                        self._gave_up = True
                        return self._look.go_on([*made, token], token[3])
                if kind == END or (kind == ")" and depth + unclosed <= 0) or (kind == ";" and not has_body):
                    break  # nothing further on belongs to what this level is in
                depth += (kind == "(") - (kind == ")")
                opened = kind == "("
                kind, _, start, _ = token = next(skipped)
                # A parenthesis before the first word of a statement is that of a body.
                has_body = has_body or (opened and cut.level.has_bodies and kind in INSIDE)
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

    def _cuts(self, states: list[int], position: int) -> Iterator[_Cut]:
        """Yield what can be given up, the innermost first."""
        gotos, symbols = self._look.tables.gotos, self._look.tables.symbols
        closed = 0  # parentheses around what stands there
        is_surplus = self._look.surplus(states, position) > 0
        for index in range(len(states) - 1, -1, -1):
            here, symbol = gotos[states[index]], symbols[states[index]]
            closed += symbol == ")"
            for name, level in LEVELS.items():
                if closed and not (level.has_bodies or is_surplus):
                    continue  # it was not closed too early
                if name in here:
                    yield _Cut(level, index, (here[name],), (LOST,))
                for before, made in BEFORE.items():
                    if before in here and name in gotos[here[before]]:
                        yield _Cut(level, index, (here[before], gotos[here[before]][name]), (made(), LOST))
            listed = LEVELS.get(LISTS.get(symbol, ""))
            if listed is not None and (listed.has_bodies or is_surplus or not closed):
                yield _Cut(listed, index, (), ())
            closed -= symbol == "(" and closed > 0

    def _skip(self, found: Lexeme, problems: list[Problem]) -> Iterator[Lexeme]:
        yield found
        for lexeme in self._look.ahead(found[3]):
            if lexeme[0] == PROBLEM:
                problems.append(lexeme[1])
            else:
                yield lexeme
        yield self._end(len(self._text))

    def _cut(self, cut: _Cut, states: list[int], values: list[Any], found: Lexeme, until: int) -> None:
        self._damage(self._begin_of(values[cut.index :], found), until)
        del states[cut.index + 1 :], values[cut.index :]
        states.extend(cut.states)
        values.extend(cut.values)
        if not cut.values and values and isinstance(values[-1], Items):
            values[-1].is_partial = True

    def _close(self, states: list[int], values: list[Any], position: int) -> Lexemes:
        """End the text here, and close what is open."""
        end = self._end(position)
        for cut in (_Cut(LEVELS["item"], len(states) - 1, (), ()), *self._cuts(states, position)):
            stack = [*states[: cut.index + 1], *cut.states]
            closing = self._look.closing(stack)
            if all(self._look.feed(stack, sign) for sign in [*closing, END]):
                self._cut(cut, states, values, end, position)
                return self._look.go_on([*self._look.signs(closing, position), end], position)
        return self._give_up(states, values)

    def _give_up(self, states: list[int], values: list[Any]) -> Lexemes:
        """End the file behind its last whole statement."""
        length = len(self._text)
        end = self._end(length)
        items = values[0] if values and isinstance(values[0], Items) else Items()
        self._damage(self._begin_of(values[1:], end), length)
        states[:] = [0, self._look.tables.gotos[0]["ready"]]
        values[:] = [items]
        return self._look.go_on([end], length)

    # --- where things are

    def _end(self, position: int) -> Lexeme:
        return END, Token("", span_at(self._text, position, position)), position, position

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

    def _opened(self, states: list[int], values: list[Any]) -> Span | None:
        """Return where the innermost parenthesis was opened that is not closed yet."""
        closed = 0
        for state, value in zip(reversed(states[1:]), reversed(values), strict=True):
            symbol = self._look.tables.symbols[state]
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
