from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from statehold_zos.ledger import Claim, ClaimKind, ClaimState, Ledger, Request
from statehold_zos.model import (
    DiskType,
    NoSpaceError,
    NotFoundError,
    Placement,
    PoolState,
    RefusedError,
    Space,
    SpaceState,
    ZosError,
    size_of,
)
from statehold_zos.pools._reconcile import OVER, Reconciler
from statehold_zos.pools._report import Report
from statehold_zos.pools._site import Ground, Site, folder_of

_STATES: Final = {
    ClaimState.PENDING: SpaceState.PENDING,
    ClaimState.READY: SpaceState.READY,
    ClaimState.RELEASED: SpaceState.RELEASING,
    ClaimState.RELEASING: SpaceState.RELEASING,
}


class StoragePools:
    """Reserves spaces in pools; any number of threads and processes may do that at once.

    A space is a folder that holds *size* bytes. On btrfs that is exact: a file of so many bytes fits, and the
    next byte is refused (EDQUOT), for root too; what the file system needs to note of more files counts as
    well. In an image, up to 2 percent and 256 KiB more may fit (ENOSPC). A plain folder is only counted
    ("advisory"): what is over the limit is reported, and its pool takes no more reservations meanwhile.
    """

    def __init__(self, ledger: Ledger, ground: Ground, *, placement: Placement = Placement.BEST_FIT) -> None:
        """Stand on a ledger, and on the disks of the same node.

        Args:
            ledger: of all reservations.
            ground: where pools are mounted; a `disks.DiskModule`.
            placement: which pool gets a reservation that does not say.

        """
        self._ledger = ledger
        self._ground = ground
        self._placement = placement
        self._sites: dict[str, Site] = {}
        self._lock = threading.Lock()

    def reserve(
        self,
        disk_type: DiskType,
        size: int | str,
        *,
        owner: str = "",
        name: str = "",
        placement: Placement | None = None,
        pool: str = "",
    ) -> Space:
        """Reserve a space; its limit is kept before anybody learns its path.

        The same owner and name again return the space that is there. Without a name, each call reserves.

        Args:
            disk_type: SSD or HDD.
            size: bytes, or a text such as `10 GiB`; rounded up to what the pool can keep (512 KiB at least
                on btrfs), and the space says what it got.
            owner: who asks, "" for the operator.
            name: how the owner calls it.
            placement: which pool, where several have room; None for that of the node.
            pool: only this pool, "" for any.

        Raises:
            NoSpaceError: no pool of the type has that much room; says how much the largest has.
            NotFoundError: there is no such pool.
            RefusedError: there is a space of this owner and name with another size or type; or no size.
            ZosError: pools have room, and none of them can make it; says of each why.

        """
        asked = size_of(size)
        failed: dict[str, ZosError] = {}
        while True:
            request = Request(
                kind=ClaimKind.SPACE,
                type=disk_type,
                size=asked,
                placement=placement or self._placement,
                owner=owner,
                name=name,
                pool=pool,
                avoid=frozenset(failed),
            )
            try:
                claim = self._ledger.claims.reserve(request)
            except NoSpaceError as error:
                if not failed:
                    raise
                raise _none_of(failed, f"a space of {asked:,} bytes") from error
            if not claim.mine:
                return self._space(claim)
            try:
                return self._make(claim)
            except ZosError as error:
                failed[claim.pool] = error
                if pool:
                    raise

    def release(self, space_id: str) -> None:
        """Remove a space with all in it, and give its room back; where its pool is gone, when that is back.

        Raises:
            NotFoundError: there is none.
            ZosError: it cannot be removed now; `reconcile` will try again.

        """
        self._claim(space_id)
        claim = self._ledger.claims.begin_release(space_id)
        try:
            if self._ledger.pools.get(claim.pool).state is not PoolState.GONE:
                self._site(claim.pool).remove(claim.id)
                self._ledger.notes.remove(OVER, claim.id)
                self._ledger.claims.forget(claim.id)
        finally:
            self._ledger.claims.leave(claim.id)

    def resize(self, space_id: str, size: int | str) -> Space:
        """Make a space larger or smaller, with what is in it; to shrink an image, nobody may be using it.

        Raises:
            NoSpaceError: its pool has not that much room.
            RefusedError: it holds more than *size*, or was released; nothing was changed.
            NotFoundError: there is none.
            ZosError: its pool is gone, or the limit cannot be set; nothing was changed.

        """
        asked = size_of(size)
        site = self._sound(self._claim(space_id).pool)
        with self._ledger.claims.at_work(space_id) as claim:
            if claim.state is not ClaimState.READY:
                raise RefusedError(f"{space_id} is {claim.state.value}, and is resized no more")
            if not site.has(claim.id):
                raise ZosError(f"{claim.id} is gone: {site.path(claim.id)} is not there")
            if asked > claim.size:
                resized = self._grow(site, claim, asked)
            elif asked < claim.size:
                site.shrink(claim.id, asked, before=claim.size)
                room = site.taken(claim.id, asked)
                resized = self._ledger.claims.resize(claim.id, asked, room=room)
            else:
                resized = claim
        return self._space(resized, site)

    def look_up(self, space_id: str) -> Space:
        """Return a space, with what it holds.

        Raises:
            NotFoundError: there is none.

        """
        return self._space(self._claim(space_id), used=True)

    def find(self, owner: str, name: str) -> Space | None:
        """Return the space that an owner calls so, with what it holds, None for none."""
        claim = self._ledger.claims.find(ClaimKind.SPACE, owner, name)
        return None if claim is None else self._space(claim, used=True)

    def list(
        self, *, owner: str | None = None, pool: str | None = None, used: bool = False
    ) -> tuple[Space, ...]:
        """Return all spaces of all pools, or those of an owner or a pool.

        Args:
            owner: only whose.
            pool: only where.
            used: with what each holds, which for plain folders is counted file by file; 0 without.

        """
        claims = self._ledger.claims.all(ClaimKind.SPACE, owner=owner, pool=pool)
        return tuple(self._space(claim, used=used) for claim in claims)

    def usage(self, space_id: str) -> int:
        """Return the bytes that a space, or the folder of a server, holds now, to the byte where it is exact.

        Raises:
            NotFoundError: there is none.
            ZosError: its pool is gone.

        """
        claim = self._ledger.claims.get(space_id)
        return self._site(claim.pool).used(claim.id, exact=True)

    def measured(self, pool: str, size: int) -> tuple[int, int]:
        """Return the size that a space of *size* bytes gets in a pool, and how much of it that takes at most.

        As asked, where the pool is gone.
        """
        try:
            site = self._site(pool)
        except ZosError:
            return size, size
        return site.fitted(size).limit, site.room(size)

    def path_of(self, claim_id: str) -> Path:
        """Return where the folder of a claim is, or would be; it need not be there.

        Raises:
            NotFoundError: there is no such claim.
            ZosError: its pool is gone.

        """
        return self._site(self._ledger.claims.get(claim_id).pool).path(claim_id)

    def lodge(self, server_id: str, size: int | str) -> Path:
        """Give the server of a claim its folder, limited to *size* bytes, or give it another size.

        Made where it is not there. The claims of the server and of what lives in it have booked *size*; what
        an image takes beyond their room is booked with the server's. Whoever calls this is at work on the
        server, and does it again at each start.

        Raises:
            NotFoundError: there is no such claim.
            NoSpaceError: its pool has no room for what an image takes beyond *size*.
            RefusedError: it holds more than *size*; nothing was changed.
            ZosError: its pool is gone, or cannot make it.

        """
        asked, claim = size_of(size), self._ledger.claims.get(server_id)
        site = self._sound(claim.pool)
        kept = site.kept(claim.id) if site.has(claim.id) else None
        if not site.has(claim.id):
            self._book_image(site, claim, asked, site.room(asked))
            site.make(claim.id, asked)
        elif site.advisory or (kept is not None and asked < kept):
            site.shrink(claim.id, asked, before=kept or asked)
        else:
            self._book_image(site, claim, asked, max(site.taken(claim.id, asked), site.room(asked)))
            site.restore(claim.id, asked)
        self._book_image(site, self._ledger.claims.get(server_id), asked, site.taken(claim.id, asked))
        return site.path(claim.id)

    def evict(self, server_id: str) -> None:
        """Remove the folder of a server with all in it; that there is none is no error.

        Raises:
            NotFoundError: there is no such claim.
            ZosError: its pool is gone, or cannot remove it.

        """
        self._site(self._ledger.claims.get(server_id).pool).remove(server_id)

    def reconcile(self, *, unknown: bool = False) -> Report:
        """Put right what killed processes and others have left: for the start, and from time to time.

        What cannot be put right does not keep it from the rest.

        Args:
            unknown: remove also folders that hold something and that no reservation knows.

        """
        return Reconciler(self._ledger, self._site, unknown=unknown).run()

    @property
    def _reconciler(self) -> Reconciler:
        return Reconciler(self._ledger, self._site)

    def _claim(self, space_id: str) -> Claim:
        claim = self._ledger.claims.get(space_id)
        if claim.kind is not ClaimKind.SPACE:
            raise NotFoundError(f"there is no space {space_id!r}: that is a {claim.kind.value}")
        return claim

    def _make(self, claim: Claim) -> Space:
        """Make what a claim of ours stands for; if that fails, undo all and raise."""
        try:
            site = self._sound(claim.pool)
            self._refuse_over(site)
            room = site.room(claim.size)
            if room > claim.room:
                self._ledger.claims.resize(claim.id, claim.size, room=room)
            site.make(claim.id, claim.size)
            taken = site.taken(claim.id, claim.size)
            if taken < room:
                self._ledger.claims.resize(claim.id, claim.size, room=taken)
            return self._space(self._ledger.claims.settle(claim.id), site)
        except BaseException:
            self._undo(claim)
            raise

    def _undo(self, claim: Claim) -> None:
        try:
            self._site(claim.pool).remove(claim.id)
        except ZosError:  # why it could not be made is told; the rest is for who reconciles
            self._ledger.claims.abandon(claim.id)
        else:
            self._ledger.claims.forget(claim.id)

    def _grow(self, site: Site, claim: Claim, asked: int) -> Claim:
        grown = self._ledger.claims.resize(claim.id, asked, room=max(claim.room, site.room(asked)))
        try:
            site.grow(claim.id, asked)
        except BaseException:
            self._ledger.claims.resize(claim.id, claim.size, room=claim.room)
            raise
        taken = site.taken(claim.id, asked)
        return grown if taken == grown.room else self._ledger.claims.resize(claim.id, asked, room=taken)

    def _book_image(self, site: Site, server: Claim, asked: int, taken: int) -> None:
        """Book with a server what the image of its folder takes beyond what is booked for what is in it."""
        if site.in_images:
            needed = max(asked, self._ledger.namespaces.room(server.id))
            room = server.size + max(0, taken - needed)
            if room != server.room:
                self._ledger.claims.resize(server.id, server.size, room=room)

    def _refuse_over(self, site: Site) -> None:
        """Refuse reservations where a space is over its size, which nothing else keeps from taking more."""
        if site.advisory:
            for space in self._reconciler.still_over(site):
                raise NoSpaceError(
                    f"pool {site.pool} takes no reservations: {space} holds more than it may",
                    hint="remove files of it, or make it larger; its limit is advisory",
                )

    def _site(self, pool: str) -> Site:
        with self._lock:
            site = self._sites.get(pool)
        if site is None or not site.there:
            site = Site.open(self._ground, pool)
            with self._lock:
                self._sites[pool] = site
        return site

    def _sound(self, pool: str) -> Site:
        """Return a site that keeps all its limits, after mending them if need be."""
        site = self._site(pool)
        if not site.sound:
            self._reconciler.keep_limits(site)
        return site

    def _space(self, claim: Claim, site: Site | None = None, *, used: bool = False) -> Space:
        state, held = _STATES[claim.state], 0
        try:
            site = site or self._site(claim.pool)
            if state is SpaceState.READY:
                if not site.has(claim.id):
                    state = SpaceState.GONE
                elif used:
                    held = site.used(claim.id)
                    self._reconciler.note_size(site, claim, held)
        except ZosError:
            state = SpaceState.GONE if state is SpaceState.READY else state
        return Space(
            id=claim.id,
            path=site.path(claim.id) if site else folder_of(self._ground.record(claim.pool), claim.id),
            size=site.fitted(claim.size).limit if site else claim.size,
            type=site.type if site else claim.type,
            pool=claim.pool,
            used=held,
            state=state,
            owner=claim.owner,
            name=claim.name,
            limits=site.words(claim.size) if site else "",
        )


def _none_of(failed: dict[str, ZosError], what: str) -> ZosError:
    said = "; ".join(f"{pool}: {error.message}" for pool, error in failed.items())
    kind = NoSpaceError if all(isinstance(error, NoSpaceError) for error in failed.values()) else ZosError
    return kind(f"no pool can make {what}: {said}")
