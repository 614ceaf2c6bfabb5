from __future__ import annotations

from statehold_zstor.backends import Health
from statehold_zstor.metadata import MetadataError
from statehold_zstor.objects._info import BackendStatus, Status
from statehold_zstor.objects._lanes import Lane
from statehold_zstor.objects._world import World


def status_of(world: World, *, objects: bool) -> Status:
    """Ask all backends at once how they are, and count the objects."""
    lanes = [(lane, world.groups.get(lane.name)) for lane in world.lanes.values()]
    data = [(lane, group, lane.look()) for lane, group in lanes]
    meta = [(lane, None, lane.look()) for lane in world.meta_lanes.values()]
    backends = tuple(
        _status(lane, seen(), group=group, leaving=group is None, metadata=False)
        for lane, group, seen in data
    )
    backends += tuple(
        _status(lane, seen(), group=None, leaving=False, metadata=True) for lane, _, seen in meta
    )
    if not objects:
        return Status(backends=backends)
    count = tickets = endangered = garbage = 0
    there = {each.name for each in backends if each.reachable and not each.metadata}
    try:
        for entry in world.metadata.scan(deleted=True):
            garbage += len(entry.leftovers)
            if entry.meta is not None:
                count += 1
                lacks = bool(entry.missing) or not all(entry.meta.places)
                tickets += lacks
                endangered += not lacks and not there.issuperset(entry.meta.places)
    except MetadataError as error:
        return Status(backends=backends, problem=error.message)
    return Status(backends=backends, objects=count, tickets=tickets, endangered=endangered, garbage=garbage)


def _status(lane: Lane, health: Health, *, group: int | None, leaving: bool, metadata: bool) -> BackendStatus:
    return BackendStatus(
        name=lane.name,
        group=group,
        metadata=metadata,
        leaving=leaving,
        reachable=health.reachable,
        objects=health.objects,
        used=health.used,
        limit=health.limit,
        free=health.free,
        problem=health.problem,
    )
