from __future__ import annotations

from collections.abc import Callable

from statehold.events._event import Event
from statehold.events._partition import PartitionData
from statehold.events._reader import Reader
from statehold.events._unit import Unit


def replay(
    source: Reader, target: PartitionData, project: Callable[[Event, Unit], None] | None = None
) -> int:
    """Write the log of a partition into another, empty one, event by event, and return how many there were.

    So records, indexes and, with *project*, views are computed from the log alone.

    Args:
        source: reads the log.
        target: the partition to write, over an empty store.
        project: called with each event and the unit that it is written in, to put views.

    """
    count = 0
    for event in source.plog():
        unit = target.begin(source.schemas)
        unit.apply(event)
        if project is not None:
            project(event, unit)
        unit.commit()
        count += 1
    return count
