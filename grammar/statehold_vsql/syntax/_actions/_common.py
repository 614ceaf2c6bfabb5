from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from statehold_vsql.syntax._tokens import Token
from statehold_vsql.syntax.nodes import Name, Span

Action = Callable[[list[Any]], Any]

_Function = TypeVar("_Function", bound=Action)


class Actions(dict[str, Action]):
    """What the rules of the grammar do, by the name of the rule or of its alternative."""

    def __call__(self, function: _Function) -> _Function:
        """Take up a function under its own name (without the `_` that keeps it off Python's words)."""
        self[function.__name__.rstrip("_")] = function
        return function


class Lost:
    """Stands for an item that a syntax error has cost."""


LOST = Lost()


class Items(list[Any]):
    """The items of a list so far; `is_partial` if one of them was lost."""

    __slots__ = ("is_partial",)

    def __init__(self) -> None:
        super().__init__()
        self.is_partial = False

    def add(self, item: Any) -> Items:
        """Append an item, if there is one."""
        if item is LOST:
            self.is_partial = True
        else:
            self.append(item)
        return self


def over(first: Any, last: Any) -> Span:
    """Return the span from one node, token or sign to another."""
    begin: Span = first if type(first) is Span else first.span
    end: Span = last if type(last) is Span else last.span
    return Span(begin.line, begin.column, end.end_line, end.end_column)


def comment_before(token: Token | Name) -> str:
    """Return the comment block that ends right before a token, without the comment signs."""
    return _last_block(token.gap) if token.gap else ""


_PIECE = re.compile(r"\n|--[^\n]*+|/\*[\s\S]*?\*/")


def _last_block(gap: str) -> str:
    lines: list[str] = []
    breaks, began, in_lines = 0, False, False
    for found in _PIECE.finditer(gap):
        piece = found[0]
        if piece == "\n":
            breaks += 1
            began = True
        elif not began:
            continue  # in the line of what stands before, so about that
        elif piece.startswith("/*"):
            lines, breaks, in_lines = _block_lines(piece[2:-2]), 0, False
        else:
            if breaks > 1 or not in_lines:
                lines = []
            lines.append(piece[2:].strip())
            breaks, in_lines = 0, True
    return "\n".join(lines)


def _block_lines(inner: str) -> list[str]:
    lines = [line.strip().removeprefix("*").strip() for line in inner.split("\n")]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        del lines[-1]
    return lines
