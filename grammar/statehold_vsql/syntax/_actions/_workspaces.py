from __future__ import annotations

from typing import Any

from msgspec import Struct

from statehold_vsql.syntax._actions._common import Actions, Items, comment_before, over
from statehold_vsql.syntax.nodes import AlterWorkspace, Descriptor, UseWorkspace, Workspace

actions = Actions()


class _Begin(Struct, frozen=True):
    word: Any
    kind: str
    pool: bool


class _Body(Struct, frozen=True):
    descriptor: Descriptor | None
    statements: Items


@actions
def workspace_begin(children: list[Any]) -> _Begin:
    """Note the words before a workspace's name."""
    words = [child.text for child in children]
    return _Begin(word=children[0], kind=words[0], pool="POOL" in words)


@actions
def workspace_body(children: list[Any]) -> _Body:
    """Note what stands in a workspace."""
    return _Body(None, children[0])


@actions
def workspace_body_descriptor(children: list[Any]) -> _Body:
    """Note a descriptor that stands alone."""
    return _Body(children[0], Items())


@actions
def workspace_body_both(children: list[Any]) -> _Body:
    """Note a descriptor and what stands behind it."""
    return _Body(children[0], children[-1])


actions["workspace_body_both_semicolon"] = workspace_body_both


@actions
def workspace(children: list[Any]) -> Workspace:
    """Build WORKSPACE."""
    begin, name, _, body, close = children
    return _workspace(begin, name, (), body, close)


@actions
def workspace_inheriting(children: list[Any]) -> Workspace:
    """Build WORKSPACE with INHERITS."""
    begin, name, _, inherits, _, body, close = children
    return _workspace(begin, name, tuple(inherits), body, close)


def _workspace(begin: _Begin, name: Any, inherits: Any, body: _Body, close: Any) -> Workspace:
    return Workspace(
        name=name,
        abstract=begin.kind == "ABSTRACT",
        alterable=begin.kind == "ALTERABLE",
        pool=begin.pool,
        inherits=inherits,
        descriptor=body.descriptor,
        statements=tuple(body.statements),
        span=over(begin.word, close),
        comment=comment_before(begin.word),
        is_partial=body.statements.is_partial,
    )


@actions
def descriptor(children: list[Any]) -> Descriptor:
    """Build DESCRIPTOR."""
    word, _, items, close = children
    return _descriptor(word, None, items, close)


@actions
def descriptor_named(children: list[Any]) -> Descriptor:
    """Build DESCRIPTOR with a name."""
    word, name, _, items, close = children
    return _descriptor(word, name, items, close)


def _descriptor(word: Any, name: Any, items: Items, close: Any) -> Descriptor:
    return Descriptor(
        name=name,
        items=tuple(items),
        span=over(word, close),
        comment=comment_before(word),
        is_partial=items.is_partial,
    )


@actions
def alter_workspace(children: list[Any]) -> AlterWorkspace:
    """Build ALTER WORKSPACE."""
    word, _, name, _, statements, close = children
    return AlterWorkspace(
        workspace=name,
        statements=tuple(statements),
        span=over(word, close),
        comment=comment_before(word),
        is_partial=statements.is_partial,
    )


@actions
def use_workspace(children: list[Any]) -> UseWorkspace:
    """Build USE WORKSPACE."""
    word, _, name = children
    return UseWorkspace(workspace=name, span=over(word, name), comment=comment_before(word))
