from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from statehold_vsql.appdef import Position, QName
from statehold_vsql.evolution._change import Broken, Changes, Subject


class Declared(Protocol):
    """A definition with a place."""

    @property
    def position(self) -> Position: ...


D = TypeVar("D", bound=Declared)


def pairs(
    changes: Changes, kind: str, old: Mapping[QName, D], new: Mapping[QName, D], *, removed: Broken | None
) -> Iterator[tuple[Subject, D, D]]:
    """Yield what is in both versions; note what is in one of them only: *removed* says whom that breaks."""
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            subject = Subject(name=f"{kind} {name}", old=before.position)
            changes.add(f"{kind}-removed", subject, "is not declared any more", removed)
        else:
            yield Subject(name=f"{kind} {name}", old=before.position, new=after.position), before, after
    for name, after in new.items():
        if name not in old:
            subject = Subject(name=f"{kind} {name}", new=after.position)
            changes.add(f"{kind}-added", subject, "is new")
