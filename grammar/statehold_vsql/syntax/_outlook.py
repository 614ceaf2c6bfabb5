from __future__ import annotations

import bisect
from collections.abc import Generator, Iterator, Mapping, Sequence

from statehold_vsql.syntax._tables import END, Tables
from statehold_vsql.syntax._tokens import ANYTHING, PROBLEM, Lexeme, Lexer, Token, span_at

Lexemes = Generator[Lexeme, Mapping[str, int], None]

# How many tokens are read to see how long a repair holds.
FURTHEST = 7
_MOST_PROBLEMS = 200


class Outlook:
    """What the parser would do with a text from a given stack of states on, without doing it."""

    def __init__(self, text: str, tables: Tables, lexer: Lexer) -> None:
        self.text = text
        self.tables = tables
        self.lexer = lexer
        # Where parentheses stand, and how many more are closed than opened before each.
        self._parentheses: tuple[list[int], list[int]] | None = None

    def go_on(self, first: Sequence[Lexeme], position: int) -> Lexemes:
        """Return the tokens of the text from a position on, behind some that are made up."""
        lexemes = self.lexer.tokens(self.text, position, first=first)
        next(lexemes)
        return lexemes

    def ahead(self, position: int) -> Iterator[Lexeme]:
        """Yield the tokens of the text from a position on, without the end, each keyword as one.

        A text with more than a few pieces that are no tokens ends for it at the last of these: each
        may cost a look at the whole text.
        """
        problems = 0
        lexemes = self.go_on([], position)
        while problems < _MOST_PROBLEMS:
            lexeme = lexemes.send(ANYTHING)
            if lexeme[0] == END:
                break
            problems += lexeme[0] == PROBLEM
            yield lexeme

    def feed(self, stack: list[int], kind: str) -> bool:
        """Take a token up in a stack of states alone; return False if it cannot stand there."""
        while True:
            step = self.tables.actions[stack[-1]].get(kind)
            if step is None:
                return False
            if step >= 0:
                stack.append(step)
                return True
            name, size, _ = self.tables.rules[~step]
            if size:
                del stack[-size:]
            stack.append(self.tables.gotos[stack[-1]][name])

    def reach(self, states: list[int], first: list[Lexeme], position: int, *, behind: int) -> int:
        """Return how many tokens behind a place are read without an error: all, or some.

        Read are those in `first` and then the text from `position` on; negative if one before fails.
        """
        stack = list(states)
        lexemes = self.go_on(first, position)
        count = -len(first) - (position < behind)
        while count < FURTHEST:
            kind = lexemes.send(self.tables.actions[stack[-1]])[0]
            if not self.feed(stack, kind):
                return count
            if kind == END:
                break
            count += 1
        return FURTHEST

    def closing(self, states: list[int]) -> list[str]:
        """Return the parentheses that are missing at the end of the text, if nothing else is."""
        stack = list(states)
        closing: list[str] = []
        while not self.feed(list(stack), END):
            if not self.feed(stack, ")"):
                return []
            closing.append(")")
        return closing

    def surplus(self, states: list[int], position: int) -> int:
        """Return how many more parentheses are closed from here on than are open."""
        return self._closed_from(position) - self.unclosed(states)

    def _closed_from(self, position: int) -> int:
        if self._parentheses is None:
            self._parentheses = ([], [0])
            places, sums = self._parentheses
            for kind, _, start, _ in self.ahead(0):
                if kind in ("(", ")"):
                    places.append(start)
                    sums.append(sums[-1] + (1 if kind == ")" else -1))
        places, sums = self._parentheses
        return sums[-1] - sums[bisect.bisect_left(places, position)]

    def unclosed(self, states: list[int]) -> int:
        """Return how many parentheses are open in a part of the stack."""
        symbols = [self.tables.symbols[state] for state in states]
        return symbols.count("(") - symbols.count(")")

    def words(self, words: Sequence[str], position: int) -> list[Lexeme]:
        """Return keywords that are not in the text."""
        span = span_at(self.text, position, position)
        return [(word, Token(word, span), position, position) for word in words]

    def signs(self, signs: Sequence[str], position: int) -> list[Lexeme]:
        """Return signs that are not in the text."""
        span = span_at(self.text, position, position)
        return [(sign, span if sign in "()" else None, position, position) for sign in signs]
