from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from statehold_vsql.appdef import AppDef, Position, QName
from statehold_vsql.evolution._change import Broken, Changes, Subject
from statehold_vsql.evolution._pairs import pairs


class Tagged(Protocol):
    """A definition that may have tags."""

    @property
    def position(self) -> Position: ...

    @property
    def tags(self) -> tuple[QName, ...]: ...


def compare_tags(changes: Changes, old: AppDef, new: AppDef) -> None:
    """Note which tags things have or lose: what is granted, revoked and limited by tag goes with them.

    A tag that nothing is granted or limited by breaks nobody.
    """
    for _ in pairs(changes, "tag", old.tags, new.tags, removed=None):
        pass
    granted = {grant.tag for grant in old.grants if not grant.revoke}
    held = {grant.tag for grant in new.grants if grant.revoke}
    held |= {limit.tag for limit in new.limits.values()}
    for kind, before, after in _things(old, new):
        for name, one in before.items():
            other = after.get(name)
            if other is None:
                continue
            subject = Subject(name=f"{kind} {name}", old=one.position, new=other.position)
            for tag in sorted(set(one.tags) - set(other.tags)):
                breaks = Broken.CLIENTS if tag in granted else None
                tail = ", and with it what is granted by it" if breaks else ""
                changes.add("tag-lost", subject, f"has lost the tag {tag}{tail}", breaks)
            for tag in sorted(set(other.tags) - set(one.tags)):
                breaks = Broken.CLIENTS if tag in held else None
                tail = ", and with it what is revoked or limited by it" if breaks else ""
                changes.add("tag-given", subject, f"has the tag {tag} now{tail}", breaks)


def _things(old: AppDef, new: AppDef) -> Iterator[tuple[str, Mapping[QName, Tagged], Mapping[QName, Tagged]]]:
    yield "table", old.tables, new.tables
    yield "view", old.views, new.views
    yield "extension", old.extensions, new.extensions
