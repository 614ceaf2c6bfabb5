from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from statehold_zos.ledger import Claim, ClaimKind, ClaimState, Ledger
from statehold_zos.model import NotFoundError, PoolState, ZosError
from statehold_zos.pools._report import Report
from statehold_zos.pools._site import Site

#: The topic of notes about spaces that hold more than they may; by space, the pool.
OVER: Final = "pools.over"
_MOUNTED: Final = (PoolState.READY, PoolState.DEGRADED, PoolState.FAILING)


class Reconciler:
    """Compares reservations with what is on the pools, once."""

    def __init__(self, ledger: Ledger, site: Callable[[str], Site], *, unknown: bool = False) -> None:
        self._ledger = ledger
        self._site = site
        self._unknown = unknown
        self._found: dict[str, list[str]] = {}

    def run(self) -> Report:
        """Put all right that can be, and say what that was."""
        mounted = [row.id for row in self._ledger.pools.all() if row.state in _MOUNTED]
        for claim in self._ledger.claims.stale():
            if claim.kind is ClaimKind.SPACE and claim.pool in mounted:
                with self._noting():
                    self._finish(claim)
        for pool in mounted:
            with self._noting():
                site = self._site(pool)
                self._remove_unknown(site)
                self.keep_limits(site)
                self._note("removed", *(f"{pool} {group}" for group in site.remove_strays()))
        return Report(**{word: tuple(found) for word, found in self._found.items()})

    def keep_limits(self, site: Site) -> None:
        """Keep the limits of all spaces of a site that are ready, where they are not kept."""
        if fault := site.mend():
            self._note("faults", f"pool {site.pool}: {fault}; they are kept again")
        for claim in self._ledger.claims.all(ClaimKind.SPACE, pool=site.pool):
            if claim.state is ClaimState.READY:
                with self._noting():
                    self._keep(site, claim)

    def still_over(self, site: Site) -> list[str]:
        """Return the spaces of a site that were over their sizes, and are still."""
        noted = [space for space, pool in self._ledger.notes.all(OVER).items() if pool == site.pool]
        return [space for space in noted if self._is_over(site, space)]

    def note_size(self, site: Site, claim: Claim, used: int) -> bool:
        """Note that a space holds more than it may, or does no more; return whether it does."""
        over = site.advisory and used > claim.size
        if site.advisory and over != (self._ledger.notes.get(OVER, claim.id) is not None):
            if over:
                self._ledger.notes.put(OVER, claim.id, site.pool)
            else:
                self._ledger.notes.remove(OVER, claim.id)
        return over

    def _finish(self, stale: Claim) -> None:
        try:
            claim = self._ledger.claims.take(stale.id)
        except NotFoundError:  # another did it
            return
        try:
            site = self._site(claim.pool)
            if claim.state is ClaimState.READY:
                self._settle(site, claim)
            else:
                site.remove(claim.id)
                self._ledger.notes.remove(OVER, claim.id)
                self._ledger.claims.forget(claim.id)
                self._note("undone" if claim.state is ClaimState.PENDING else "finished", claim.id)
        finally:
            self._ledger.claims.leave(claim.id)

    def _settle(self, site: Site, claim: Claim) -> None:
        """Give a space the size that is booked, and book what that takes: whoever resized it was killed."""
        if site.has(claim.id):
            if site.restore(claim.id, claim.size):
                self._note("limited", claim.id)
            taken = site.taken(claim.id, claim.size)
            if taken != claim.room:
                self._ledger.claims.resize(claim.id, claim.size, room=taken)

    def _remove_unknown(self, site: Site) -> None:
        """Remove folders without a reservation, which is written before its folder, and forgotten after it.

        What holds something was told to somebody once: its reservation was lost, and it is not ours to
        remove.
        """
        there = site.claims()
        known = {claim.id for claim in self._ledger.claims.all(pool=site.pool)}
        for claim in set(there) - known:
            with self._noting():
                if claim not in site.claims():  # removed meanwhile, before it was forgotten
                    continue
                if self._unknown or site.is_empty(claim):
                    site.remove(claim)
                    self._note("removed", str(site.path(claim)))
                else:
                    self._note("unknown", str(site.path(claim)))

    def _keep(self, site: Site, seen: Claim) -> None:
        if self._is_kept(site, seen):
            return
        try:
            with self._ledger.claims.at_work(seen.id) as claim:  # whoever resizes or removes it is done now
                if claim.state is not ClaimState.READY:
                    return
                if not site.has(claim.id):
                    self._note("gone", claim.id)
                elif site.restore(claim.id, claim.size):
                    self._note("limited", claim.id)
        except NotFoundError:
            return

    def _is_kept(self, site: Site, claim: Claim) -> bool:
        try:
            if not site.has(claim.id) or not site.keeps(claim.id, claim.size):
                return False
            if site.advisory and self.note_size(site, claim, site.used(claim.id)):
                self._note("over", claim.id)
        except ZosError:
            if site.has(claim.id):
                raise
            return False  # it was removed meanwhile
        return True

    def _is_over(self, site: Site, space: str) -> bool:
        try:
            claim = self._ledger.claims.get(space)
        except NotFoundError:
            self._ledger.notes.remove(OVER, space)
            return False
        return self.note_size(site, claim, site.used(space) if site.has(space) else 0)

    def _note(self, word: str, *found: str) -> None:
        self._found.setdefault(word, []).extend(found)

    @contextmanager
    def _noting(self) -> Generator[None]:
        try:
            yield
        except ZosError as error:
            self._note("faults", error.message)
