from __future__ import annotations

import time
from enum import StrEnum
from typing import TypeAlias

import attrs


class Role(StrEnum):
    """What a registered version is to its app."""

    CURRENT = "current"
    PREVIOUS = "previous"
    #: Was current before the previous one, and is kept open beside them.
    KEPT = "kept"
    READY = "ready"


@attrs.frozen(kw_only=True)
class Entry:
    """A version as the registry knows it.

    `plugins` are the digests of its plugin files; `places` says where each of its storages runs, by name.
    """

    app: str
    version: str
    digest: str
    partitions: int
    role: Role = attrs.field(converter=Role)
    plugins: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    deployed_at: float = attrs.field(factory=time.time)


#: The versions of an app, by their place in the order of deployment.
Rows: TypeAlias = dict[int, Entry]


def stepped_back(rows: Rows, keep: int) -> Rows:
    """Return what the versions of an app are once another one is current; what is not kept is gone."""
    roles = {one.role: number for number, one in rows.items()}
    before, last = roles.get(Role.CURRENT), roles.get(Role.PREVIOUS)
    if before is not None:
        if last is not None:
            rows = {**rows, last: attrs.evolve(rows[last], role=Role.KEPT)}
        rows = {**rows, before: attrs.evolve(rows[before], role=Role.PREVIOUS)}
    kept = [number for number, one in rows.items() if one.role is Role.KEPT]
    gone = kept[: max(len(kept) - max(keep - 1, 0), 0)]
    return {number: one for number, one in rows.items() if number not in gone}
