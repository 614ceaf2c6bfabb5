from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import attrs

from statehold_zos.ledger import Claim, ClaimKind, ClaimState, Ledger
from statehold_zos.model import NotFoundError, ZosError
from statehold_zos.namespaces._admin import Admin, Found
from statehold_zos.namespaces._report import NamespaceReport
from statehold_zos.namespaces._servers import Servers, told


@attrs.define
class _Notes:
    """A report that is being written."""

    undone: list[str] = attrs.field(factory=list)
    deleted: list[str] = attrs.field(factory=list)
    started: list[str] = attrs.field(factory=list)
    ended: list[str] = attrs.field(factory=list)
    mended: list[str] = attrs.field(factory=list)
    relieved: list[str] = attrs.field(factory=list)
    over: list[str] = attrs.field(factory=list)
    missing: list[str] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)
    removed: list[str] = attrs.field(factory=list)
    faults: list[str] = attrs.field(factory=list)

    def report(self) -> NamespaceReport:
        return NamespaceReport(**{name: tuple(found) for name, found in attrs.asdict(self).items()})


class Reconciler:
    """Brings claims, servers and namespaces together, whoever was killed at whatever."""

    def __init__(self, ledger: Ledger, servers: Servers, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._claims = ledger.claims
        self._servers = servers
        self._clock = clock
        self._refusals: dict[str, int] = {}

    def run(self, *, unknown: bool) -> NamespaceReport:
        """See `Namespaces.reconcile`."""
        notes = _Notes()
        for claim in self._claims.stale():
            if claim.kind is ClaimKind.NAMESPACE:
                self._finish(claim, notes)
        for claim in self._claims.due(self._clock()):
            if claim.kind is ClaimKind.NAMESPACE:
                self._finish(claim, notes)
        for server in self._claims.all(ClaimKind.SERVER):
            with told(server.id, notes.faults), self._servers.exclusive(server.pool):
                self._see_to(server.id, notes, unknown=unknown)
        self._end_strangers(notes)
        return notes.report()

    def remove(self, claim: Claim) -> None:
        """Delete a namespace that the caller is at work on, and its server if it was the last.

        Raises:
            ZosError: it cannot be deleted now; its claim is still there.

        """
        with self._servers.exclusive(claim.pool):
            server = self._servers.claim(claim.server)
            self._servers.drop(server, claim.id)
            if any(each.id != claim.id for each in self._claims.all(server=server.id)):
                with suppress(ZosError):  # it is made smaller later
                    self._servers.shrink(server, claim.room)
            self._claims.forget(claim.id)
            with suppress(ZosError):  # it is removed later
                self._servers.remove(server)

    def _finish(self, claim: Claim, notes: _Notes) -> None:
        """Do to its end what somebody has begun with a claim, or what is due."""
        with told(claim.id, notes.faults), suppress(NotFoundError):
            claim = self._claims.take(claim.id)
            try:
                due = claim.state is ClaimState.RELEASED and claim.due <= self._clock()
                if due or claim.state in {ClaimState.PENDING, ClaimState.RELEASING}:
                    self.remove(claim)
                    (notes.undone if claim.state is ClaimState.PENDING else notes.deleted).append(claim.id)
            finally:
                self._claims.leave(claim.id)

    def _see_to(self, server_id: str, notes: _Notes, *, unknown: bool) -> None:
        """Have a server run, with the namespaces that it should have, as they should be."""
        try:
            server = self._servers.claim(server_id)
        except NotFoundError:
            return
        theirs = self._claims.all(server=server.id)
        if not theirs:
            if self._servers.remove(server):
                notes.ended.append(server.id)
            return
        if all(claim.state is ClaimState.PENDING for claim in theirs):
            return  # whoever makes the first one starts it
        if self._servers.up(server, eager=False):
            notes.started.append(server.id)
        with self._servers.admin(server.id) as admin:
            names = admin.names()
            found = admin.found([*dict.fromkeys([*(claim.id for claim in theirs), *names])])
            self._compare(admin, theirs, names, found, notes, unknown=unknown)
            self._relieve(admin, server, found, notes)

    def _relieve(self, admin: Admin, server: Claim, found: Mapping[str, Found], notes: _Notes) -> None:
        """Let namespaces be written again whose disk was full, by giving back what they do not need."""
        full = [name for name, each in found.items() if each.failed or each.refusals > self._refused(name)]
        if not full:
            return
        with self._servers.relieved(server):
            for name in full:
                if found[name].failed:
                    admin.reload(name)
                admin.compact(name)
                self._refusals[name] = found[name].refusals
        notes.relieved.extend(full)

    def _refused(self, name: str) -> int:
        return self._refusals.get(name, 0)

    def _compare(
        self,
        admin: Admin,
        theirs: Iterable[Claim],
        names: Iterable[str],
        found: Mapping[str, Found],
        notes: _Notes,
        *,
        unknown: bool,
    ) -> None:
        claims = {claim.id: claim for claim in theirs}
        for claim in claims.values():
            if claim.state in {ClaimState.PENDING, ClaimState.RELEASING}:
                continue  # somebody is at it
            if claim.id not in found:
                notes.missing.append(claim.id)
                continue
            if self._mend(admin, claim, found[claim.id], notes.faults):
                notes.mended.append(claim.id)
            if found[claim.id].disk > claim.room:  # it is the others' that it takes
                admin.compact(claim.id)
                if admin.found([claim.id])[claim.id].disk > claim.room:
                    notes.over.append(claim.id)
        for name in names:
            if name in claims or name not in found or self._is_known(name):
                continue
            if unknown or not found[name].entries:
                admin.delete(name)
                notes.removed.append(name)
            else:
                admin.lock(name, locked=True)
                notes.unknown.append(name)

    def _mend(self, admin: Admin, claim: Claim, found: Found, faults: list[str]) -> bool:
        """Make a namespace what was reserved, where it is not; say whether it was not."""
        locked = claim.state is ClaimState.RELEASED or self._ledger.namespaces.sealed(claim.id).frozen
        if not found.password:
            locked = True  # nobody here knows its password; whoever has reserved it can give it one
            faults.append(f"{claim.id}: somebody has taken its password away; it is frozen")
        if claim.mode is not None and found.mode is not claim.mode:
            faults.append(f"{claim.id}: its mode is {found.mode.value}, not {claim.mode.value}")
        wrong = [found.public, found.maxsize != claim.size, found.locked != locked]
        if found.public:
            admin.hide(claim.id)
        if found.maxsize != claim.size:
            admin.limit(claim.id, claim.size)
        if found.locked != locked:
            admin.lock(claim.id, locked=locked)
        return any(wrong)

    def _is_known(self, name: str) -> bool:
        """Whether somebody has reserved a namespace since the claims were read."""
        try:
            self._claims.get(name)
        except NotFoundError:
            return False
        return True

    def _end_strangers(self, notes: _Notes) -> None:
        """End servers that no claim knows: of a ledger that was brought back from a copy."""
        for server in self._servers.running():
            try:
                self._servers.claim(server)
            except NotFoundError:
                with told(server, notes.faults):
                    self._servers.down(server)
                    notes.removed.append(server)
