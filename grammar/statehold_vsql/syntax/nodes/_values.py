from __future__ import annotations

from msgspec import Struct

from statehold_vsql._fields import DataType


class Span(Struct, frozen=True, gc=False):
    """A stretch of text; lines and columns count from 1, the end is the first position behind it."""

    line: int
    column: int
    end_line: int
    end_column: int


class Node(Struct, frozen=True):
    """A statement, clause, name or literal: a struct, for a file has thousands of them."""


class Name(Node, frozen=True):
    """An identifier, without the double quotes it may be written in.

    `gap` are the comments before one that a storage's declaration begins with.
    """

    text: str
    span: Span
    gap: str = ""

    def __str__(self) -> str:
        """Return the identifier."""
        return self.text


class NameRef(Node, frozen=True):
    """The name of something declared elsewhere; `package` is empty where none is written."""

    package: str
    name: str
    span: Span

    @property
    def text(self) -> str:
        """The name as written: `Orders` or `bills.Orders`."""
        return f"{self.package}.{self.name}" if self.package else self.name

    def __str__(self) -> str:
        """Return the name as written."""
        return self.text


class Text(Node, frozen=True):
    """A string literal, unquoted and with its escapes resolved."""

    value: str
    span: Span


class Number(Node, frozen=True):
    """A whole number."""

    value: int
    span: Span


class Fraction(Node, frozen=True):
    """A number with a point in it; only in expressions and in PARAMETER's DEFAULT."""

    value: float
    span: Span


class Constant(Node, frozen=True):
    """TRUE, FALSE or NULL (None)."""

    value: bool | None
    span: Span


class NamePath(Node, frozen=True):
    """A dotted path in an expression: `a.b.c`."""

    names: tuple[str, ...]
    span: Span


class Expression(Node, frozen=True):
    """An operator with its operands, as in `CHECK (a > 1 AND b IS NULL)`.

    `operator` is one of OR AND NOT + - * / % = <> != < > <= >= `IS NULL` `IS NOT NULL` BETWEEN
    (operand, low, high), IN (operand, then the list) and CALL (the function's path, then its arguments).
    """

    operator: str
    operands: tuple[Operand, ...]
    span: Span


Operand = Expression | NamePath | Text | Number | Fraction | Constant


class TypeName(Node, frozen=True):
    """A data type; `length` is the number in parentheses behind text and bytes."""

    type: DataType
    length: Number | None
    span: Span


TypeUse = TypeName | NameRef
