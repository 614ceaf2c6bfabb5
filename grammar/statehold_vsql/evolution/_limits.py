from __future__ import annotations

from statehold_vsql.appdef import AppDef, LimitDef, QName, RateDef, RateScope
from statehold_vsql.evolution._change import Broken, Changes, Subject
from statehold_vsql.evolution._pairs import pairs


def compare_limits(changes: Changes, old: AppDef, new: AppDef) -> None:
    """Note what changed about how often clients may do something: by the LIMITs, each with its RATE.

    A RATE that no LIMIT names limits nothing.
    """
    kept = {name: limit for name, limit in new.limits.items() if name in old.limits}
    for subject, before, after in pairs(changes, "limit", old.limits, kept, removed=None):
        _target(changes, subject, before, after)
        _operations(changes, subject, before, after)
        if before.each and not after.each:
            changes.add("limit-each", subject, "is shared by all that it is about, and was EACH", _CLIENTS)
        elif after.each and not before.each:
            changes.add("limit-each", subject, "is counted for EACH that it is about")
        _rate(changes, subject, old.rates[before.rate], new.rates[after.rate])
    for name, limit in new.limits.items():
        if name not in old.limits:
            subject = Subject(name=f"limit {name}", new=limit.position)
            # What is new itself nobody has done more often before.
            is_new = limit.target is not None and not _is_there(old, limit.target)
            message = f"is new: {_times(new.rates[limit.rate])} for {_told(limit)}"
            changes.add("limit-added", subject, message, None if is_new else _CLIENTS)


_CLIENTS = Broken.CLIENTS


def _target(changes: Changes, subject: Subject, old: LimitDef, new: LimitDef) -> None:
    if _place(old) != _place(new):
        message = f"is about {_told(new)}, and was about {_told(old)}"
        changes.add("limit-target", subject, message, _CLIENTS)


def _operations(changes: Changes, subject: Subject, old: LimitDef, new: LimitDef) -> None:
    before, after = set(old.operations), set(new.operations)
    if more := sorted(after - before):
        changes.add("limit-operations", subject, f"counts {', '.join(more)}, too", _CLIENTS)
    if fewer := sorted(before - after):
        changes.add("limit-operations", subject, f"does not count {', '.join(fewer)} any more")


def _rate(changes: Changes, subject: Subject, old: RateDef, new: RateDef) -> None:
    was, now = _times(old), _times(new)
    if was == now:
        return
    # So many at once, and then so many in a time; each of its own for as many as before.
    less = (
        new.count < old.count
        or new.count * old.seconds < old.count * new.seconds
        or not _counted(old) <= _counted(new)
    )
    changes.add("limit-rate", subject, f"is {now}, and was {was}", _CLIENTS if less else None)


def _counted(rate: RateDef) -> frozenset[RateScope]:
    return frozenset(rate.scopes) - {RateScope.APP_PARTITION}


def _times(rate: RateDef) -> str:
    period = f"{rate.unit}" if rate.period == 1 else f"{rate.period} {rate.unit}"
    scopes = " and ".join(scope for scope in RateScope if scope in _counted(rate)) or RateScope.APP_PARTITION
    return f"{rate.count} per {period} per {scopes}"


def _place(limit: LimitDef) -> tuple[object, ...]:
    return limit.workspace, limit.kind, limit.target, limit.tag


def _told(limit: LimitDef) -> str:
    what = f"{limit.kind} {limit.target}" if limit.target else f"each {limit.kind}"
    return f"{what} with tag {limit.tag}" if limit.tag else what


def _is_there(appdef: AppDef, name: QName) -> bool:
    return any(name in named for named in (appdef.extensions, appdef.tables, appdef.views))
