from __future__ import annotations

from typing import Any

from statehold_vsql.syntax._actions._common import Actions, Items

actions = Actions()


@actions
def absent(_: list[Any]) -> None:
    """Stand for a clause that is not there."""


@actions
def first(children: list[Any]) -> Any:
    """Pass the first child on, without the sign behind it."""
    return children[0]


@actions
def second(children: list[Any]) -> Any:
    """Pass the second child on, without the keyword before it and what stands behind it."""
    return children[1]


@actions
def list_empty(_: list[Any]) -> Items:
    """Begin a list."""
    return Items()


@actions
def list_first(children: list[Any]) -> Items:
    """Begin a list with an item."""
    return Items().add(children[0])


@actions
def list_adjacent(children: list[Any]) -> Items:
    """Go on with a list."""
    items: Items = children[0]
    return items.add(children[1])


@actions
def list_continued(children: list[Any]) -> Items:
    """Go on with a list behind a separator."""
    items: Items = children[0]
    return items.add(children[2])


@actions
def list_begun(children: list[Any]) -> Items:
    """Begin a list of statements, behind the `;` that may lead."""
    return Items().add(children[1])


@actions
def statements_none(_: list[Any]) -> Items:
    """Stand for no statements."""
    return Items()
