from __future__ import annotations

from typing import Any

from statehold_vsql.syntax._actions._common import Actions, Items, comment_before, over
from statehold_vsql.syntax.nodes import (
    Application,
    Declare,
    File,
    Import,
    NameRef,
    Parameter,
    Template,
    TypeName,
    Use,
)

actions = Actions()


@actions
def file(children: list[Any]) -> File:
    """Build the file; statements and imports are told apart by what they are."""
    items: Items = children[0]
    return File(
        imports=tuple(item for item in items if type(item) is Import),
        statements=tuple(item for item in items if type(item) is not Import),
        is_partial=items.is_partial,
    )


@actions
def nothing_yet(_: list[Any]) -> Items:
    """Begin a file."""
    return Items()


@actions
def next_of_file(children: list[Any]) -> Items:
    """Go on with a file."""
    items: Items = children[0]
    return items.add(children[1])


@actions
def import_plain(children: list[Any]) -> Import:
    """Build IMPORT."""
    word, _, path = children
    return Import(path=path, alias=None, span=over(word, path), comment=comment_before(word))


@actions
def import_as(children: list[Any]) -> Import:
    """Build IMPORT with a name."""
    word, _, path, _, alias = children
    return Import(path=path, alias=alias, span=over(word, alias), comment=comment_before(word))


@actions
def application(children: list[Any]) -> Application:
    """Build APPLICATION."""
    word, name, _, uses, close = children
    return Application(
        name=name,
        uses=tuple(uses),
        span=over(word, close),
        comment=comment_before(word),
        is_partial=uses.is_partial,
    )


@actions
def use(children: list[Any]) -> Use:
    """Build USE."""
    word, package = children
    return Use(package, over(word, package))


@actions
def declare(children: list[Any]) -> Declare:
    """Build DECLARE."""
    word, name, type_, _, default = children
    return Declare(
        name=name, type=type_, default=default, span=over(word, default), comment=comment_before(word)
    )


@actions
def template(children: list[Any]) -> Template:
    """Build TEMPLATE."""
    word, name, _, _, workspace, _, source = children
    return Template(
        name=name,
        workspace=workspace,
        source=source,
        span=over(word, source),
        comment=comment_before(word),
    )


@actions
def parameter(children: list[Any]) -> Parameter:
    """Build PARAMETER."""
    word, name, type_, default = children
    return _parameter(word, name, type_, default, secret=False)


@actions
def secret(children: list[Any]) -> Parameter:
    """Build SECRET."""
    word, name, type_ = children
    return _parameter(word, name, type_, None, secret=True)


def _parameter(word: Any, name: Any, type_: TypeName | NameRef, default: Any, *, secret: bool) -> Parameter:
    return Parameter(
        name=name,
        type=type_,
        default=default,
        secret=secret,
        span=over(word, default or type_),
        comment=comment_before(word),
    )
