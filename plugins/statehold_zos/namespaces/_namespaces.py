from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import attrs

from statehold_zdb.client import Client, Place, ReplyError, ZdbConnectionError
from statehold_zos.ledger import Claim, ClaimKind, ClaimState, Ledger, Request, Sealed
from statehold_zos.model import (
    Config,
    DiskType,
    Mode,
    NamespaceState,
    NoSpaceError,
    NotFoundError,
    Placement,
    RefusedError,
    ZdbNamespace,
    ZosError,
    size_of,
)
from statehold_zos.namespaces._admin import Admin, Found
from statehold_zos.namespaces._launch import HOST
from statehold_zos.namespaces._reconcile import Reconciler
from statehold_zos.namespaces._report import NamespaceReport
from statehold_zos.namespaces._room import SERVER_ROOM, room_of
from statehold_zos.namespaces._servers import Servers
from statehold_zos.pools import StoragePools

_MOST_PASSWORD: Final = 63
#: What takes a password away.
_NONE: Final = "*"


class Namespaces:
    """Reserves 0-db namespaces; any number of threads and processes may do that at once.

    A namespace goes to the server with the tightest room that is enough; where none has room, a server is
    started in a pool that has. Passwords are kept by the server alone, as a hash and sealed.

    Args:
        config: of the node; `folder`, `zdb`, `grace` and `placement` are what counts here.
        ledger: where namespaces and servers are booked.
        pools: where servers have their folders.
        clock: seconds since 1970.
        limit: the seconds that a server may take to answer, before it is taken for one that hangs; who only
            looks waits 10 s for it at most, and then 1 s until it has answered.

    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        pools: StoragePools,
        *,
        clock: Callable[[], float] = time.time,
        limit: float = 30.0,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._claims = ledger.claims
        self._clock = clock
        self._servers = Servers(config, ledger, pools, limit=limit)
        self._reconciler = Reconciler(ledger, self._servers, clock)

    def reserve(
        self,
        disk_type: DiskType,
        size: int | str,
        mode: Mode,
        password: str,
        *,
        owner: str = "",
        name: str = "",
        placement: Placement | None = None,
    ) -> ZdbNamespace:
        """Reserve a namespace; from its first moment on it has its limit and password, and is not public.

        The same owner and name again return the namespace that is there. Without a name, each call reserves.

        Args:
            disk_type: SSD or HDD.
            size: payload bytes, or a text such as `10 GiB`.
            mode: how keys come about; is never changed.
            password: 1 to 63 bytes; kept by the server only.
            owner: who asks, "" for the operator.
            name: how the owner calls it.
            placement: which pool a server is started in, where several have room; None for that of the node.

        Raises:
            NoSpaceError: no pool of the type has that much room; says how much the largest has.
            RefusedError: there is a namespace of this owner and name with another size, type, mode or
                password; or no size, or no password.
            ZosError: no server that has room can be reached or started.

        """
        size = size_of(size)
        _check_password(password)
        request = Request(
            kind=ClaimKind.NAMESPACE,
            type=disk_type,
            size=size,
            room=room_of(size),
            placement=placement or self._config.placement,
            owner=owner,
            name=name,
            mode=mode,
        )
        failed: ZosError | None = None
        while True:
            try:
                claim = self._ledger.namespaces.reserve(request, overhead=SERVER_ROOM)
            except NoSpaceError:
                if failed is not None:
                    raise failed from None
                raise
            if not claim.mine:
                try:
                    found = self.get(claim.id)
                except NotFoundError:  # it was released meanwhile
                    continue
                self._check_same(found, password)
                return found
            try:
                self._make(claim, mode, password)
            except RefusedError:
                raise
            except ZosError as error:
                # Its pool or server is broken: another has room, perhaps.
                failed = error
                request = attrs.evolve(request, avoid=request.avoid | {claim.pool})
            else:
                return self.get(claim.id)

    def release(self, namespace: str, *, now: bool = False) -> None:
        """Freeze a namespace until its grace time is over, when `reconcile` deletes it; its name is free.

        Again it does nothing. Where its server cannot be reached it is frozen, and deleted, when it can be.

        Args:
            namespace: its id.
            now: delete it at once, also one that was released before.

        Raises:
            NotFoundError: there is none.

        """
        claim = self._claim(namespace)
        if now or self._config.grace <= 0:
            self._delete(claim)
            return
        with self._claims.at_work(claim.id) as claim:
            if claim.state is not ClaimState.READY:
                return
            self._claims.release_later(claim.id, self._clock() + self._config.grace)
            with suppress(ZosError), self._servers.exclusive(claim.pool):
                self._with_server(claim, lambda admin: admin.lock(claim.id, locked=True))

    def resize(self, namespace: str, size: int | str) -> ZdbNamespace:
        """Make a namespace larger or smaller, with what is in it.

        Raises:
            NoSpaceError: its pool has no room for more.
            RefusedError: it holds more than *size*, or was released; nothing was changed.
            NotFoundError: there is none.
            ZosError: its server cannot be reached; nothing was changed.

        """
        size = size_of(size)
        with self._claims.at_work(self._claim(namespace).id) as claim:
            _check_ready(claim)
            if size > claim.size:
                self._grow(claim, size)
            elif size < claim.size:
                self._shrink(claim, size)
        return self.get(namespace)

    def freeze(self, namespace: str, *, frozen: bool = True) -> ZdbNamespace:
        """Let a namespace be read only, or be written again.

        Raises:
            RefusedError: it was released.
            NotFoundError: there is none.
            ZosError: its server cannot be reached; it is frozen or not as soon as it can be.

        """
        with self._claims.at_work(self._claim(namespace).id) as claim:
            _check_ready(claim)
            sealed = self._ledger.namespaces.sealed(claim.id)
            self._ledger.namespaces.seal(claim.id, attrs.evolve(sealed, frozen=frozen))
            with self._servers.exclusive(claim.pool):
                self._with_server(claim, lambda admin: admin.lock(claim.id, locked=frozen))
        return self.get(namespace)

    def change_password(self, namespace: str, password: str) -> None:
        """Give a namespace another password; who is connected stays so.

        Raises:
            RefusedError: it was released, or the password is none.
            NotFoundError: there is none.
            ZosError: its server cannot be reached; the password is as it was.

        """
        _check_password(password)
        with self._claims.at_work(self._claim(namespace).id) as claim:
            _check_ready(claim)
            with self._servers.exclusive(claim.pool):
                self._with_server(claim, lambda admin: admin.password(claim.id, password))

    def get(self, namespace: str) -> ZdbNamespace:
        """Return a namespace, with what it holds. Raises NotFoundError."""
        (found,) = self._seen([self._claim(namespace)])
        return found

    def find(self, owner: str, name: str) -> ZdbNamespace | None:
        """Return the namespace that an owner calls so and has not released, None for none."""
        claim = self._claims.find(ClaimKind.NAMESPACE, owner, name)
        return None if claim is None else self._seen([claim])[0]

    def list(self, *, owner: str | None = None, pool: str | None = None) -> tuple[ZdbNamespace, ...]:
        """Return all namespaces, or those of an owner or pool, released ones too, with what they hold."""
        return self._seen(self._claims.all(ClaimKind.NAMESPACE, owner=owner, pool=pool))

    def reconcile(self, *, unknown: bool = False) -> NamespaceReport:
        """Put right what killed processes and servers have left: for the start, and from time to time.

        Servers that ended or do not answer are started again, those that fail ever more seldom; namespaces
        whose grace time is over are deleted. Never raises for one server; the others are seen to.

        Args:
            unknown: delete also namespaces that hold something and that nobody has reserved.

        """
        return self._reconciler.run(unknown=unknown)

    def stop(self, pool: str | None = None) -> None:
        """End the servers, or the one of a pool: before it is unmounted. `reconcile` starts them again."""
        for server in self._claims.all(ClaimKind.SERVER, pool=pool):
            with self._servers.exclusive(server.pool):
                self._servers.down(server.id)

    def processes(self) -> Sequence[str]:
        """Return the ids of the servers that run now."""
        return self._servers.running()

    # Inside

    def _make(self, claim: Claim, mode: Mode, password: str) -> None:
        """Make what a claim stands for, or leave nothing of it."""
        try:
            with self._servers.exclusive(claim.pool):
                server = self._servers.claim(claim.server)
                self._servers.up(server)
                with self._servers.admin(server.id) as admin:

                    def make() -> None:
                        # One that was being made when its maker was killed; nobody was told of it.
                        admin.delete(claim.id)
                        admin.make(claim.id, mode=mode, size=claim.size, password=password)

                    self._servers.insist(server, make)
                # Before another may start the server anew: that removes what is not made to its end.
                self._claims.settle(claim.id)
        except BaseException:
            try:
                self._reconciler.remove(claim)
            except ZosError:  # why it was not made is told; the rest is for who reconciles
                self._claims.abandon(claim.id)
            raise

    def _delete(self, claim: Claim) -> None:
        """Delete a namespace now, or let `reconcile` do it when that can be done."""
        with suppress(NotFoundError):  # somebody else has
            claim = self._claims.begin_release(claim.id)
            try:
                self._reconciler.remove(claim)
            finally:
                self._claims.leave(claim.id)

    def _grow(self, claim: Claim, size: int) -> None:
        # The room first, the limit last: whoever is killed between leaves more room than is used.
        with self._servers.exclusive(claim.pool):
            server = self._servers.claim(claim.server)
            self._claims.resize(claim.id, size, room=room_of(size))
            try:
                self._servers.up(server)
                with self._servers.admin(server.id) as admin:
                    admin.limit(claim.id, size)
            except BaseException:
                with suppress(ZosError):
                    self._servers.shrink(server, room_of(size) - claim.room)
                self._claims.resize(claim.id, claim.size, room=claim.room)
                raise

    def _shrink(self, claim: Claim, size: int) -> None:
        # The limit first, the room last: what is given back is another's at once.
        with self._servers.exclusive(claim.pool):
            server = self._servers.claim(claim.server)
            self._with_server(claim, lambda admin: _limit(admin, claim, size))
            try:
                self._servers.shrink(server, claim.room - room_of(size))
            except BaseException:
                with suppress(ZosError):
                    self._with_server(claim, lambda admin: admin.limit(claim.id, claim.size))
                raise
            self._claims.resize(claim.id, size, room=room_of(size))
            self._servers.up(server)

    def _with_server(self, claim: Claim, work: Callable[[Admin], None]) -> None:
        self._servers.up(self._servers.claim(claim.server))
        with self._servers.admin(claim.server) as admin:
            work(admin)

    def _claim(self, namespace: str) -> Claim:
        try:
            claim = self._claims.get(namespace)
        except NotFoundError:
            claim = None
        if claim is None or claim.kind is not ClaimKind.NAMESPACE:
            raise NotFoundError(f"there is no namespace {namespace!r}")
        return claim

    def _check_same(self, found: ZdbNamespace, password: str) -> None:
        """Raise RefusedError where *password* is not that of a namespace which was asked for again."""
        place = Place(socket=str(found.socket), namespace=found.id)
        try:
            Client(place, password=password).close()
        except ReplyError:
            raise RefusedError(
                f"namespace {found.name!r} is there already, with another password",
                hint="Change its password, or take another name",
            ) from None
        except ZdbConnectionError as error:
            raise ZosError(f"namespace {found.name!r} is there, and its 0-db does not answer") from error

    def _seen(self, claims: Sequence[Claim]) -> tuple[ZdbNamespace, ...]:
        types = {row.id: row.type for row in self._ledger.pools.all()}
        said: dict[str, Found] = {}
        ports: dict[str, int] = {}
        for server in sorted({claim.server for claim in claims}):
            ports[server] = self._servers.port(server)
            names = [claim.id for claim in claims if claim.server == server]
            said |= self._servers.found(server, names)
        return tuple(
            ZdbNamespace(
                id=claim.id,
                disk_type=types.get(claim.pool, claim.type),
                size=claim.size,
                mode=claim.mode or Mode.USER,
                port=ports[claim.server],
                host=HOST,
                socket=self._servers.socket(claim.server),
                pool=claim.pool,
                used=found.used if (found := said.get(claim.id)) is not None else 0,
                state=_state(claim, said.get(claim.id), self._ledger.namespaces.sealed(claim.id)),
                owner=claim.owner,
                name=claim.name,
            )
            for claim in claims
        )


def _state(claim: Claim, found: Found | None, sealed: Sealed) -> NamespaceState:
    if claim.state is ClaimState.PENDING:
        return NamespaceState.PENDING
    if claim.state is not ClaimState.READY:
        return NamespaceState.RELEASED
    if found is None:
        return NamespaceState.GONE
    return NamespaceState.FROZEN if sealed.frozen else NamespaceState.READY


def _check_password(password: str) -> None:
    if not 0 < len(password.encode()) <= _MOST_PASSWORD or password == _NONE:
        raise RefusedError(
            f"the password of a namespace has 1 to {_MOST_PASSWORD} bytes, and is not '*'",
            hint="A namespace without a password could be written by everybody",
        )


def _check_ready(claim: Claim) -> None:
    if claim.state is not ClaimState.READY:
        raise RefusedError(f"namespace {claim.id} was released", hint="Reserve another")


def _limit(admin: Admin, claim: Claim, size: int) -> None:
    """Lower the limit of a namespace; RefusedError, and the limit is as it was, where it holds more."""
    _check_used(admin, claim, size)
    admin.limit(claim.id, size)
    try:
        _check_used(admin, claim, size)  # what was written before the limit was lower
    except ZosError:
        admin.limit(claim.id, claim.size)
        raise
    admin.compact(claim.id)


def _check_used(admin: Admin, claim: Claim, size: int) -> None:
    found = admin.found([claim.id]).get(claim.id)
    if found is None:
        raise ZosError(f"namespace {claim.id} is not on its server")
    if found.used > size:
        raise RefusedError(
            f"namespace {claim.id} holds {found.used:,} bytes, and cannot be made smaller than that",
            hint="Delete some of them first",
        )
