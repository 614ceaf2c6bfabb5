from __future__ import annotations

from typing import Any

from statehold_vsql.syntax._actions._common import Actions, comment_before, over
from statehold_vsql.syntax.nodes import (
    Action,
    ActionWord,
    Grant,
    GrantRole,
    Limit,
    NameRef,
    Number,
    Rate,
    Reach,
    Role,
    Tag,
    Target,
    TargetKind,
    TimeUnit,
)

actions = Actions()

_PLURALS = {
    "COMMANDS": TargetKind.COMMAND,
    "QUERIES": TargetKind.QUERY,
    "TABLES": TargetKind.TABLE,
    "VIEWS": TargetKind.VIEW,
}


@actions
def role(children: list[Any]) -> Role:
    """Build ROLE."""
    word, name = children
    return Role(name=name, published=False, span=over(word, name), comment=comment_before(word))


@actions
def role_published(children: list[Any]) -> Role:
    """Build PUBLISHED ROLE."""
    word, _, name = children
    return Role(name=name, published=True, span=over(word, name), comment=comment_before(word))


@actions
def tag(children: list[Any]) -> Tag:
    """Build TAG."""
    word, name = children
    return Tag(name=name, feature=None, span=over(word, name), comment=comment_before(word))


@actions
def tag_feature(children: list[Any]) -> Tag:
    """Build TAG with a feature."""
    word, name, _, feature = children
    return Tag(name=name, feature=feature, span=over(word, feature), comment=comment_before(word))


# --- rights


@actions
def grant(children: list[Any]) -> Grant:
    """Build GRANT of actions."""
    return _grant(children, revoke=False)


@actions
def revoke(children: list[Any]) -> Grant:
    """Build REVOKE of actions."""
    return _grant(children, revoke=True)


def _grant(children: list[Any], *, revoke: bool) -> Grant:
    word, granted, target, _, role = children
    return Grant(
        actions=tuple(granted),
        target=target,
        role=role,
        revoke=revoke,
        span=over(word, role),
        comment=comment_before(word),
    )


@actions
def grant_role(children: list[Any]) -> GrantRole:
    """Build GRANT of a role."""
    return _grant_role(children, revoke=False)


@actions
def revoke_role(children: list[Any]) -> GrantRole:
    """Build REVOKE of a role."""
    return _grant_role(children, revoke=True)


actions["grant_role_word"] = grant_role
actions["revoke_role_word"] = revoke_role


def _grant_role(children: list[Any], *, revoke: bool) -> GrantRole:
    word, granted, _, role = children
    if type(granted) is not NameRef:  # a role may be named like an action
        granted = NameRef("", granted.text, granted.span)
    return GrantRole(
        granted=granted,
        role=role,
        revoke=revoke,
        span=over(word, role),
        comment=comment_before(word),
    )


@actions
def granted(children: list[Any]) -> ActionWord:
    """Build an action."""
    (word,) = children
    return ActionWord(Action(word.text), (), word.span)


@actions
def granted_on_columns(children: list[Any]) -> ActionWord:
    """Build an action that is narrowed to columns."""
    word, _, columns, close = children
    return ActionWord(Action(word.text), tuple(columns), over(word, close))


@actions
def target_one(children: list[Any]) -> Target:
    """Build a target that is one thing."""
    on, kind, name = children
    return Target(TargetKind(kind.text), Reach.ONE, name, None, over(on, name))


@actions
def target_many(children: list[Any]) -> Target:
    """Build a target that is all or each of a kind."""
    on, reach, kind = children
    return Target(_kind(kind.text), Reach(reach.text), None, None, over(on, kind))


@actions
def target_many_tagged(children: list[Any]) -> Target:
    """Build a target that is all or each of a kind with a tag."""
    on, reach, kind, _, tag = children
    return Target(_kind(kind.text), Reach(reach.text), None, tag, over(on, tag))


def _kind(word: str) -> TargetKind:
    return _PLURALS.get(word) or TargetKind(word)


# --- rates


@actions
def rate(children: list[Any]) -> Rate:
    """Build RATE."""
    word, name, count, _, unit, object_scope, subject_scope = children
    return _rate(word, name, count, unit, (object_scope, subject_scope))


@actions
def rate_period(children: list[Any]) -> Rate:
    """Build RATE with a number of units."""
    word, name, count, _, period, unit, object_scope, subject_scope = children
    return _rate(word, name, count, unit, (object_scope, subject_scope), period=period)


def _rate(
    word: Any, name: Any, count: Any, unit: Any, scopes: tuple[Any, Any], *, period: Number | None = None
) -> Rate:
    object_scope, subject_scope = scopes
    return Rate(
        name=name,
        count=count,
        period=period,
        unit=TimeUnit(unit.text.removesuffix("S")),
        object_scope=object_scope.text.removeprefix("PER ") if object_scope else "",
        subject_scope=subject_scope.text.removeprefix("PER ") if subject_scope else "",
        span=over(word, subject_scope or object_scope or unit),
        comment=comment_before(word),
    )


@actions
def limit(children: list[Any]) -> Limit:
    """Build LIMIT of whatever fits the target."""
    word, name, target, _, rate = children
    return Limit(
        name=name, actions=(), target=target, rate=rate, span=over(word, rate), comment=comment_before(word)
    )


@actions
def limit_with_actions(children: list[Any]) -> Limit:
    """Build LIMIT of some actions."""
    word, name, limited, target, _, rate = children
    return Limit(
        name=name,
        actions=tuple(limited),
        target=target,
        rate=rate,
        span=over(word, rate),
        comment=comment_before(word),
    )
