"""The contextual lexer: a word is a keyword only where the parser can take that keyword."""

from __future__ import annotations

import re
import string
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from msgspec import Struct

from statehold_vsql.syntax._literals import BadLiteral, fraction_value, number_value, text_value
from statehold_vsql.syntax._tables import END, Tables
from statehold_vsql.syntax.nodes import Fraction, Name, NameRef, Number, Span, Text

# Written so that whatever the text, nothing is read more than twice. Only single characters are repeated
# possessively: with groups, Python before 3.11.5 finds the wrong match.
_SPACE = r"[ \t\r\n]*+"
_COMMENT = r"--[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*\*/"
_GAP = rf"{_SPACE}(?:(?:{_COMMENT}){_SPACE})*"

_LONGEST_NAME = 255
_IN_STORAGES = frozenset(
    (
        "ENTITY",
        "GET",
        "GETBATCH",
        "INSERT",
        "JSONCONFIG",
        "KEY",
        "PROVIDER",
        "READ",
        "SCOPE",
        "UPDATE",
        "VALUE",
    )
)
PROBLEM = "$PROBLEM"
ANYTHING: Mapping[str, int] = {}


class Token(Struct, eq=False):
    """A keyword, with the gap before it if comments stand there."""

    text: str
    span: Span
    gap: str = ""


class Problem(Struct, frozen=True):
    """Text that is no token; `kind` and `value` are what the parser may take for it, if anything."""

    message: str
    hint: str
    span: Span
    kind: str | None = None
    value: Any = None


# kind, value, where it starts, where it ends
Lexeme = tuple[str, Any, int, int]


class Lexer:
    """Cuts texts into tokens; made once per grammar, keeps nothing of a text."""

    def __init__(self, tables: Tables) -> None:
        kinds = {kind for row in tables.actions for kind in row}
        name = tables.patterns["NAME"]
        self.pattern = re.compile(
            rf"{_SPACE}((?:(?:{_COMMENT}){_SPACE})*)(?!--|/\*)"
            rf"(?:({name})(?:{_GAP}\.{_GAP}({name}))?|([;,])|([()])|({tables.patterns['STRING']})"
            rf"|({tables.patterns['NUMBER']})|(<>|<=|>=|!=|[-=<>+*%.]|/(?!\*))|({tables.patterns['RAW']}))"
        )
        self.gap = re.compile(_GAP)
        self.next_word = re.compile(rf"{_GAP}([a-zA-Z][a-zA-Z0-9_]*+|=)")
        words = {kind for kind in kinds if kind[0].isalpha()} - set(tables.patterns) - {"DOTTED"}
        self.words = frozenset(word.partition(" ")[0] for word in words)
        # What begins a statement or stands in a storage is no name of a storage that stands there bare:
        # else a parenthesis that is missing would go unnoticed.
        self.never_bare = _IN_STORAGES.union(tables.actions[0])
        # First word -> the words that may follow, longest first, with the keyword they make.
        self.compounds: dict[str, list[tuple[list[str], str]]] = {}
        for word in sorted(words, key=len, reverse=True):
            first, *rest = word.split(" ")
            if rest:
                self.compounds.setdefault(first, []).append((rest, word))

    def tokens(
        self, text: str, position: int = 0, *, first: Iterable[Lexeme] = ()
    ) -> Generator[Lexeme, Mapping[str, int], None]:
        """Yield the tokens from `position` on, after those in `first`.

        Sent in before each token: the parser's row of actions, whose keys are the tokens it can take;
        with an empty row, every keyword counts as one.
        """
        match = self.pattern.match
        words = self.words
        never_bare = self.never_bare
        compounds = self.compounds
        line = text.count("\n", 0, position) + 1
        line_start = text.rfind("\n", 0, position) + 1
        kind: str
        value: Any
        row = yield END, None, position, position
        for lexeme in first:
            row = yield lexeme
        while True:
            found = match(text, position)
            if found is None:
                kind, value, start, end = self._stray(text, position, row)
                row = yield kind, value, start, end
                position = end
                line = text.count("\n", 0, position) + 1
                line_start = text.rfind("\n", 0, position) + 1
                continue
            group = found.lastindex
            start = found.end(1)
            end = found.end()
            if start != position:
                lines = text.count("\n", position, start)
                if lines:
                    line += lines
                    line_start = text.rfind("\n", position, start) + 1
            column = start - line_start + 1
            value = None
            if group == 2:
                kind = text[start:end]
                if kind in words:
                    if kind in compounds:
                        kind, end = self._compound(text, kind, end, row)
                    if kind in row or "NAME" not in row or (kind in never_bare and "STORAGE" in row):
                        gap = text[position:start] if found.start(1) != start else ""
                        if gap and position == 0:
                            gap = "\n" + gap  # the file's first comment belongs to no statement before it
                        span = Span(line, column, line, column + end - start)
                        if " " in kind:
                            span, line, line_start = _span(text, start, end, line, line_start)
                        value = Token(kind, span, gap)
                    else:
                        value = Name(kind, Span(line, column, line, column + end - start))
                        kind = "NAME"
                else:
                    name = kind[1:-1] if kind[0] == '"' else kind
                    value = Name(name, Span(line, column, line, column + end - start))
                    kind = "NAME"
                    if end - start > _LONGEST_NAME and len(name) > _LONGEST_NAME:
                        kind, value = PROBLEM, _long_name(value)
                    elif found.start(1) != start and "STORAGE" in row:
                        value = Name(name, value.span, text[position:start])
            elif group == 4:
                kind = text[start]
            elif group == 5:
                kind = text[start]
                value = Span(line, column, line, column + 1)
            elif group == 3:
                kind = "DOTTED"
                package, name = found[2], found[3]
                span, line, line_start = _span(text, start, end, line, line_start)
                value = NameRef(
                    package[1:-1] if package[0] == '"' else package,
                    name[1:-1] if name[0] == '"' else name,
                    span,
                )
                if end - start > _LONGEST_NAME and max(len(package), len(name)) > _LONGEST_NAME:
                    kind, value = PROBLEM, _long_name(value)
            elif group == 7:
                kind = "NUMBER"
                if text[start] in "+-" and "NUMBER" not in row and text[start] in row:
                    kind, end = text[start], start + 1
                span = Span(line, column, line, column + end - start)
                if kind == "NUMBER":
                    kind, value = _number(text[start:end], span, row)
                else:
                    value = Token(kind, span)
            elif group == 8:
                kind = text[start:end]
                value = Token(kind, Span(line, column, line, column + end - start))
            elif row and "\n" in text[start:end] and ("RAW" if group == 9 else "STRING") not in row:
                # A stray quote, for nobody writes long texts where none can stand. What follows is no text.
                end = start + 1
                kind = PROBLEM
                value = Problem(f"unexpected {text[start]}", "", Span(line, column, line, column + 1))
            else:
                span, line, line_start = _span(text, start, end, line, line_start)
                if group == 9:
                    kind, value = "RAW", Text(text[start + 1 : end - 1], span)
                else:
                    kind = "STRING"
                    try:
                        value = Text(text_value(text[start + 1 : end - 1]), span)
                    except BadLiteral as bad:
                        kind = PROBLEM
                        written = Text(text[start + 1 : end - 1], span)
                        value = Problem(bad.message, bad.hint, span, "STRING", written)
            row = yield kind, value, start, end
            position = end

    def skip_gap(self, text: str, position: int) -> int:
        """Return where the next token starts."""
        found = self.gap.match(text, position)
        return position if found is None else found.end()

    def _compound(self, text: str, word: str, end: int, row: Mapping[str, int]) -> tuple[str, int]:
        for rest, keyword in self.compounds[word]:
            if row and keyword not in row:
                continue
            position = end
            for part in rest:
                found = self.next_word.match(text, position)
                if found is None or found[1] != part:
                    break
                position = found.end()
            else:
                return keyword, position
        return word, end

    def _stray(self, text: str, position: int, row: Mapping[str, int]) -> Lexeme:
        """Return the end of the text, or what stands there and is no token."""
        start = self.skip_gap(text, position)
        if start == len(text):
            return END, Token("", span_at(text, start, start)), start, start
        kind: str | None = None
        stand_in: Name | Text | None = None
        hint = ""
        sign = text[start]
        rest_of_line = text.find("\n", start)
        end = len(text) if rest_of_line < 0 else rest_of_line
        if text.startswith("/*", start):
            message, hint = "this comment has no end", "close it with */"
            end = len(text)
        elif sign in "'`":
            message = f"this text has no closing {sign}"
            hint = f"close it with {sign}; a {sign} inside a text is written \\'" if sign == "'" else ""
            kind, stand_in = (
                ("STRING" if sign == "'" else "RAW"),
                Text(text[start + 1 : end], span_at(text, start, end)),
            )
        elif sign == '"':
            closing = text.find('"', start + 1, end)
            end = closing + 1 if closing > 0 else end
            message = "between double quotes stands a name: letters, digits and _, a letter first"
            hint = "texts stand between single quotes"
            span = span_at(text, start, end)
            if "STRING" in row and "NAME" not in row:
                kind, stand_in = "STRING", Text(text[start + 1 : end].rstrip('"'), span)
            else:
                kind, stand_in = "NAME", Name(text[start + 1 : end].rstrip('"'), span)
        else:
            is_word = sign == "_" or sign.isalpha()
            adjoins = start > 0 and text[start - 1] in _LETTERS
            found = (_STRAY_WORD if is_word or adjoins else _STRAY).match(text, start)
            end = start + 1 if found is None else found.end()
            message, hint = _illegal(text[start:end])
            if is_word and not adjoins:
                kind, stand_in = "NAME", Name(text[start:end], span_at(text, start, end))
        return PROBLEM, Problem(message, hint, span_at(text, start, end), kind, stand_in), start, end


_LETTERS = frozenset(string.ascii_letters + string.digits + "_")
_STRAY = re.compile(r"[^\s\"'`;,().=<>!+*/%a-zA-Z0-9-]{1,255}+")
_STRAY_WORD = re.compile(r"[^\s\"'`;,().=<>!+*/%-]{1,255}+")


def span_at(text: str, start: int, end: int) -> Span:
    """Return the span between two positions in the text."""
    line = text.count("\n", 0, start) + 1
    return _span(text, start, end, line, text.rfind("\n", 0, start) + 1)[0]


def _span(text: str, start: int, end: int, line: int, line_start: int) -> tuple[Span, int, int]:
    """Return a token's span, and the line it ends in with the position where that line starts."""
    end_line = line + text.count("\n", start, end)
    end_start = text.rfind("\n", start, end) + 1 if end_line != line else line_start
    return Span(line, start - line_start + 1, end_line, end - end_start + 1), end_line, end_start


def _number(written: str, span: Span, row: Mapping[str, int]) -> tuple[str, Number | Fraction | Problem]:
    try:
        if "." not in written:
            return "NUMBER", Number(number_value(written), span)
        fraction = Fraction(fraction_value(written), span)
    except BadLiteral as bad:
        return PROBLEM, Problem(bad.message, bad.hint, span, "NUMBER", Number(0, span))
    if "FRACTION" in row or "NUMBER" not in row:
        return "FRACTION", fraction
    message = f"a whole number is expected here, found {written[:40]}"
    return PROBLEM, Problem(message, "", span, "NUMBER", Number(max(1, int(fraction.value)), span))


def _long_name(name: Name | NameRef) -> Problem:
    kind = "NAME" if isinstance(name, Name) else "DOTTED"
    return Problem(f"this name is longer than {_LONGEST_NAME} characters", "", name.span, kind, name)


def _illegal(found: str) -> tuple[str, str]:
    shown = ascii(found[:20])
    if found[0] == "\ufeff":
        return "a byte order mark may only stand at the start of a file", ""
    if found[0] == "\xa0":
        return "a no-break space does not count as a space here", "type an ordinary space"
    if found[0].isalpha() or found[0] == "_":
        hint = "names begin with a letter a to z or A to Z and go on with letters, digits and _"
        return (
            f"{found[:20]!r} cannot stand in a name" if found.isprintable() else f"unexpected {shown}",
            hint,
        )
    return f"unexpected {found[:20]!r}" if found.isprintable() else f"unexpected {shown}", ""
