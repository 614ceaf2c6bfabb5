from __future__ import annotations

import threading
from collections.abc import Sequence

import attrs

from statehold.processing._errors import LimitExceededError
from statehold.processing._kinds import ByKind, Kind
from statehold.sdk import Principal
from statehold_vsql.appdef import AccessOperation, AppDef, RateScope


@attrs.frozen(eq=False)
class _Claim:
    """One limit that an operation on one thing counts for; times in seconds."""

    limit: str
    #: What has a counter of its own: the thing, for EACH.
    about: str
    interval: float
    period: float
    per_workspace: bool
    per_subject: bool
    per_ip: bool


class Limits(ByKind["KindLimits"]):
    """The RATEs and LIMITs of an app, by the kind of workspace in which somebody asks.

    A rate of n per period lets n pass at once, and then one every n-th of the period.
    """

    def __init__(self, appdef: AppDef) -> None:
        super().__init__(appdef, KindLimits)


class KindLimits:
    """What is limited in workspaces of one kind."""

    def __init__(self, appdef: AppDef, kind: Kind) -> None:
        claims: dict[tuple[AccessOperation, str], list[_Claim]] = {}
        for limit in appdef.limits.values():
            if limit.workspace not in kind.lineage:
                continue
            rate = appdef.rates[limit.rate]
            for thing in kind.select(limit.workspace, limit.kind, limit.target, limit.tag):
                claim = _Claim(
                    limit=str(limit.name),
                    about=thing.name if limit.each else "",
                    interval=rate.seconds / rate.count,
                    period=rate.seconds,
                    per_workspace=RateScope.WORKSPACE in rate.scopes,
                    per_subject=RateScope.SUBJECT in rate.scopes,
                    per_ip=RateScope.IP in rate.scopes,
                )
                for operation in limit.operations:
                    claims.setdefault((operation, thing.name), []).append(claim)
        self._claims = {place: tuple(found) for place, found in claims.items()}

    def take(
        self,
        buckets: Buckets,
        operation: AccessOperation,
        thing: str,
        *,
        workspace: int,
        principal: Principal | None,
        ip: str,
        now: float,
    ) -> None:
        """Count one *operation* on *thing* for every limit that it falls under, or for none.

        Who has no token is told from others by the address alone.

        Raises:
            LimitExceededError: one of them is used up.

        """
        claims = self._claims.get((operation, thing))
        if claims is None:
            return
        subject = (principal.kind, principal.name) if principal is not None else ip
        wanted = [
            (
                (
                    claim.limit,
                    # Another version may have another rate: what was taken by the old one does not count.
                    claim.interval,
                    claim.about,
                    workspace if claim.per_workspace else 0,
                    subject if claim.per_subject else None,
                    ip if claim.per_ip else None,
                ),
                claim.interval,
                claim.period,
            )
            for claim in claims
        ]
        refused = buckets.take(wanted, now)
        if refused is not None:
            place, wait = refused
            raise LimitExceededError(
                f"{operation} on {thing}: {claims[place].limit} is used up",
                limit=claims[place].limit,
                retry_after=wait,
                qname=thing,
            )


class Buckets:
    """The counters of one partition: for each, when it will be full again.

    Args:
        size: how many are kept at most; when there are more, those go that are nearest to full.

    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._full_at: dict[object, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, wanted: Sequence[tuple[object, float, float]], now: float) -> tuple[int, float] | None:
        """Take one from each bucket of *wanted*: (key, seconds until one more, seconds until full).

        If one of them is empty, take from none, and return its place and the seconds until it is not.
        """
        with self._lock:
            full_at = self._full_at
            after = []
            for place, (key, interval, period) in enumerate(wanted):
                full = max(full_at.get(key, now), now) + interval
                # A little more than nothing, because sums of intervals are not exact.
                wait = full - period - now
                if wait > interval * 1e-6:
                    return place, wait
                after.append((key, full))
            full_at.update(after)
            if len(full_at) > self._size:
                self._shrink(now)
        return None

    def _shrink(self, now: float) -> None:
        alive = {key: full for key, full in self._full_at.items() if full > now}
        if len(alive) > self._size // 2:
            fullest = sorted(alive, key=alive.__getitem__)
            for key in fullest[: len(alive) - self._size // 2]:
                del alive[key]
        self._full_at = alive
