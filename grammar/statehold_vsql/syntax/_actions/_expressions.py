from __future__ import annotations

from typing import Any

from statehold_vsql.syntax._actions._common import Actions, Items, over
from statehold_vsql.syntax.nodes import Constant, Expression, NamePath

actions = Actions()


@actions
def operator_list_begun(children: list[Any]) -> tuple[str, Items]:
    """Begin a chain of AND or OR."""
    left, word, right = children
    return word.text, Items().add(left).add(right)


@actions
def operator_list_continued(children: list[Any]) -> tuple[str, Items]:
    """Go on with a chain of AND or OR."""
    chain: tuple[str, Items] = children[0]
    chain[1].add(children[2])
    return chain


@actions
def operator_list(children: list[Any]) -> Expression:
    """Build a chain of AND or OR as one expression."""
    ((operator, operands),) = children
    return Expression(operator, tuple(operands), over(operands[0], operands[-1]))


@actions
def not_condition(children: list[Any]) -> Expression:
    """Build NOT."""
    word, operand = children
    return Expression("NOT", (operand,), over(word, operand))


@actions
def binary(children: list[Any]) -> Expression:
    """Build a comparison or a sum or a product."""
    left, sign, right = children
    return Expression(sign.text, (left, right), over(left, right))


@actions
def is_null(children: list[Any]) -> Expression:
    """Build IS NULL and IS NOT NULL."""
    operand, _, what = children
    return Expression(f"IS {what.text}", (operand,), over(operand, what))


@actions
def between(children: list[Any]) -> Expression:
    """Build BETWEEN."""
    operand, _, low, _, high = children
    return Expression("BETWEEN", (operand, low, high), over(operand, high))


@actions
def in_list(children: list[Any]) -> Expression:
    """Build IN."""
    operand, _, _, expressions, close = children
    return Expression("IN", (operand, *expressions), over(operand, close))


@actions
def call(children: list[Any]) -> Expression:
    """Build the call of a function."""
    parts, _, arguments, close = children
    path = _path(parts)
    return Expression("CALL", (path, *arguments), over(path, close))


@actions
def constant_true(children: list[Any]) -> Constant:
    """Build TRUE."""
    return Constant(value=True, span=children[0].span)


@actions
def constant_false(children: list[Any]) -> Constant:
    """Build FALSE."""
    return Constant(value=False, span=children[0].span)


@actions
def constant_null(children: list[Any]) -> Constant:
    """Build NULL."""
    return Constant(value=None, span=children[0].span)


@actions
def path_begun(children: list[Any]) -> Items:
    """Begin a dotted path."""
    return Items().add(children[0])


@actions
def path_continued(children: list[Any]) -> Items:
    """Go on with a dotted path."""
    path, _, name = children
    parts: Items = path
    return parts.add(name)


@actions
def path_ended(children: list[Any]) -> NamePath:
    """Build a dotted path."""
    return _path(children[0])


def _path(parts: Items) -> NamePath:
    names: list[str] = []
    for part in parts:
        if part.package:
            names.append(part.package)
        names.append(part.name)
    return NamePath(tuple(names), over(parts[0], parts[-1]))
