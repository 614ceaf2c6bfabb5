from __future__ import annotations

import difflib
import re
import string
from collections.abc import Iterator, Sequence

from statehold_vsql._diagnostic import Diagnostic, Severity
from statehold_vsql.syntax._actions import TYPE_WORDS
from statehold_vsql.syntax._levels import LEVELS
from statehold_vsql.syntax._tables import END
from statehold_vsql.syntax._tokens import Lexeme, span_at
from statehold_vsql.syntax.nodes import Span

_MOST = 100
_MOST_EXPECTED = 8
_PLAIN = {
    "NAME": "a name",
    "DOTTED": "a name",
    "STRING": "a text in quotes",
    "RAW": "a text in backquotes",
    "NUMBER": "a number",
    "FRACTION": "a number",
    END: "the end of the file",
}
_ACTIONS = ("SELECT", "INSERT", "UPDATE", "ACTIVATE", "DEACTIVATE", "EXECUTE")
_LETTERS = string.ascii_letters + string.digits + "_"
_WORD = re.compile(r"\s*+([a-zA-Z][a-zA-Z0-9_]*+)")


class Reports:
    """The diagnostics of one file: one per place, and not more than a reader can use."""

    def __init__(self, text: str, *, file: str, package: str) -> None:
        self._text = text
        self._file = file
        self._package = package
        self.is_full = False
        self._places: set[tuple[int, int]] = set()
        self._diagnostics: list[Diagnostic] = []

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was reported, in the order of the text."""
        return tuple(sorted(self._diagnostics, key=lambda found: (found.line, found.column)))

    def add(self, code: str, message: str, span: Span, hint: str = "") -> None:
        """Report an error, unless one is reported at the same place."""
        place = (span.line, span.column)
        if place in self._places or self.is_full:
            return
        self._places.add(place)
        if len(self._diagnostics) == _MOST:
            self.end(span)
        else:
            self._append(code, message, span, hint)

    def end(self, span: Span) -> None:
        """Report that the rest is not read; nothing more is reported then."""
        self.is_full = True
        self._append(
            "too-many",
            "there are too many syntax errors: the rest of this file was not read",
            span,
            "mend the first ones and check again",
        )

    def _append(self, code: str, message: str, span: Span, hint: str) -> None:
        self._diagnostics.append(
            Diagnostic(
                severity=Severity.ERROR,
                code=code,
                message=message,
                package=self._package,
                file=self._file,
                line=span.line,
                column=span.column,
                end_line=span.end_line,
                end_column=span.end_column,
                hint=hint,
            )
        )

    def unexpected(
        self, found: Lexeme, expected: Sequence[str], *, inserted: str = "", opened: Span | None = None
    ) -> None:
        """Report a token that cannot stand where it does."""
        kind, _, start, end = found
        if kind == END:
            # Where the text ends is behind its last token, not behind the empty lines that follow.
            start = end = len(self._text.rstrip())
            what = "the file ends here"
            hint = f'the "(" in line {opened.line} is not closed' if opened is not None else ""
        else:
            written = self._text[start:end]
            what = f'unexpected "{_short(written)}"'
            hint = self._hint(found, expected)
        if inserted and kind == END:
            message = f'the file ends here, but "{inserted}" is missing'
        elif inserted:
            message = f'"{inserted}" is missing before "{_short(self._text[start:end])}"'
        else:
            message = f"{what}: expected {_listed(expected)}"
        self.add("syntax", message, span_at(self._text, start, end), hint)

    def meant(self, found: Lexeme, expected: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield the keywords that may be meant by a word, the likeliest first, with the end of the word."""
        _, _, start, end = found
        written = self._text[start:end]
        if not written[:1].isalpha() or len(written) > 40:
            return
        keywords = [word for word in expected if word[0].isalpha() and word not in _PLAIN]
        following = _WORD.match(self._text, end)
        attempts = [(written, end)]
        if following is not None and len(following[1]) <= 40:
            attempts.append((f"{written} {following[1]}", following.end()))
        for word, until in attempts:
            if word.upper() in keywords:
                yield word.upper(), until
            elif word.lower() in keywords:
                yield word.lower(), until
            else:
                for keyword in difflib.get_close_matches(word, keywords, n=2, cutoff=0.72):
                    yield keyword, until

    def _hint(self, found: Lexeme, expected: Sequence[str]) -> str:
        kind, _, start, _ = found
        for keyword, _ in self.meant(found, expected):
            return f"did you mean {keyword}?"
        before = self._text[max(0, start - 200) : start].rstrip()
        word = _last_word(before)
        if kind == "(" and word in TYPE_WORDS:
            return f"{word} has no length"
        if kind == "(":
            for near in difflib.get_close_matches(word, TYPE_WORDS, n=1, cutoff=0.72):
                return f"did you mean {near}?"
        if kind == "ON" and word and ("TO" in expected or "FROM" in expected):
            return f"{word} is no action: there are ALL, {', '.join(_ACTIONS)}"
        if self._text[start : found[3]] == "NULL" and "NOT NULL" in expected:
            return "leave NULL out: a field is optional unless it is NOT NULL"
        if kind in ("STATE", "INTENTS") and ("RETURNS" in expected or "WITH" in expected):
            return "clauses stand in the order STATE, INTENTS, RETURNS, WITH; a QUERY has no INTENTS"
        before = before[-1:]
        if kind == ")" and before == ",":
            return "remove the comma before it"
        if kind == ")" and before == "(":
            return "a list cannot be empty: leave the whole clause out"
        if kind == ";" and before == ";":
            return "one ; is enough"
        return ""


def _last_word(text: str) -> str:
    return text[len(text.rstrip(_LETTERS)) :][-40:]


def _short(written: str) -> str:
    line = written.partition("\n")[0]
    shown = line if len(line) <= 40 else line[:37] + "..."
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def _listed(expected: Sequence[str]) -> str:
    words = set(expected)
    statements: set[str] = set()
    for level in LEVELS.values():
        if level.has_bodies and len(level.beginnings & words) > _MOST_EXPECTED:
            statements |= level.beginnings
    names: list[str] = []
    for word in expected:
        if f"{word}S" in words or (word == "QUERY" and "QUERIES" in words):
            continue  # the singular means the same
        if word in statements or (word == "DESCRIPTOR" and statements):
            name = "a statement"
        elif word[0].islower() and word not in ("any", "void", "ref", "record"):
            name = "a data type"
        else:
            name = _PLAIN.get(word) or f'"{word}"'
        if name not in names:
            names.append(name)
    # Signs last: a word tells more.
    names.sort(key=lambda name: (name.startswith('"') and not name[1].isalpha(), name.startswith('"')))
    if len(names) > _MOST_EXPECTED:
        return f"{', '.join(names[:_MOST_EXPECTED])} or another of {len(names)} words"
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
