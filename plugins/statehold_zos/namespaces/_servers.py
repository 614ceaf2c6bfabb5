from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from statehold_zos.ledger import Claim, ClaimKind, ClaimState, Ledger, Sealed
from statehold_zos.model import Config, NotFoundError, RefusedError, ZosError
from statehold_zos.namespaces import _sockets
from statehold_zos.namespaces._admin import Admin, Found
from statehold_zos.namespaces._launch import Launch
from statehold_zos.namespaces._lock import locked
from statehold_zos.namespaces._processes import end, serving
from statehold_zos.namespaces._room import held_back, segment_of
from statehold_zos.namespaces._secret import Secrets
from statehold_zos.pools import StoragePools

PATIENCE: Final = 180.0
#: The seconds that who only looks waits for a server; and for one that has not answered in that time before.
_LOOK: Final = 10.0
_GLANCE: Final = 1.0
_SUFFIX: Final = ".sock"
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0


class Servers:
    """The 0-db servers of a node: at most one in each pool, each a claim, a folder and a process.

    Whoever changes anything of a server has its pool's lock (`exclusive`); to read, nobody needs it.
    """

    def __init__(self, config: Config, ledger: Ledger, pools: StoragePools, *, limit: float) -> None:
        self._config = config
        self._limit = limit
        self._ledger = ledger
        self._pools = pools
        self.folder = config.folder / "zdb"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sockets = _sockets.sockets_of(self.folder)
        self._secrets = Secrets(self.folder)
        self._lock = threading.Lock()
        self._failures: dict[str, tuple[int, float]] = {}
        self._silent: set[str] = set()

    def exclusive(self, pool: str) -> contextlib.AbstractContextManager[None]:
        """Have all that is about the server of a pool alone, among threads and processes."""
        return locked(self.folder, pool, patience=PATIENCE)

    def socket(self, server: str) -> Path:
        """Return where a server listens."""
        return self._sockets / f"{server.removeprefix(ClaimKind.SERVER.value + '-')}{_SUFFIX}"

    def admin(self, server: str) -> Admin:
        """Connect to a server as its administrator; ZosError where it does not answer."""
        return Admin(self.socket(server), self._secrets.of(server), limit=self._limit)

    def found(self, server: str, names: Sequence[str]) -> dict[str, Found]:
        """Return what a server says of namespaces, nothing where it does not answer soon."""
        limit = min(self._limit, _GLANCE if server in self._silent else _LOOK)
        begun = time.monotonic()
        try:
            with Admin(self.socket(server), self._secrets.of(server), limit=limit) as admin:
                found = admin.found(names)
        except ZosError:
            if time.monotonic() - begun >= limit:  # it hangs; one that has ended is not waited for
                self._silent.add(server)
            return {}
        self._silent.discard(server)
        return found

    def up(self, server: Claim, *, eager: bool = True) -> bool:
        """Have a server run, in a folder with room for all its namespaces; say whether it had to be started.

        To be called with the pool's lock.

        Args:
            server: its claim.
            eager: begin anew with the waiting times of one that fails again and again: somebody asks for it.

        Raises:
            ZosError: its pool cannot be used, or it does not start.

        """
        # In this order: a server is started in a pool that is there, and told of namespaces when it answers.
        try:
            self._fit(server)
        except ZosError:
            self._leave_if_gone(server)
            raise
        try:
            with self.admin(server.id) as admin:
                admin.ping()
        except ZosError:
            self._start(server, eager=eager)
            started = True
        else:
            started = False
        self._silent.discard(server.id)
        if server.state is ClaimState.PENDING:
            self._ledger.claims.settle(server.id)
        return started

    def shrink(self, server: Claim, less: int) -> None:
        """Make a server's folder smaller, before the room that is given back is another's.

        To be called with the pool's lock. Where the pool cannot do that while the folder is in use the server
        is ended; `up` starts it again.

        Raises:
            RefusedError: it holds more; nothing was changed.
            ZosError: its pool cannot be used.

        """
        try:
            self._lodge(server, less)
        except RefusedError:
            raise
        except ZosError:
            self.down(server.id)
            self._lodge(server, less)

    @contextmanager
    def relieved(self, server: Claim) -> Iterator[None]:
        """Give a server's folder the room that is held back: one that is full cannot even delete.

        To be called with the pool's lock.
        """
        try:
            self._pools.lodge(server.id, self._ledger.namespaces.room(server.id))
        except RefusedError:  # what was deleted is not given back yet
            used = self._pools.usage(server.id)
            self._pools.lodge(server.id, used + held_back(self._largest(server.id)))
        try:
            yield
        finally:
            self._fit(server)

    def insist(self, server: Claim, work: Callable[[], None]) -> None:
        """Do something that a server refuses where its disk is full, if need be with the room held back."""
        try:
            work()
        except RefusedError:
            with self.relieved(server):
                work()

    def drop(self, server: Claim, namespace: str) -> None:
        """Delete a namespace with all in it, whether or not its server runs; with the pool's lock."""
        if server.id in self.running():
            self.up(server)
            with self.admin(server.id) as admin:
                self.insist(server, lambda: admin.delete(namespace))
        else:
            self._fit(server)  # its pool is there, or this raises
            _remove(self._pools.path_of(server.id), namespace)

    def down(self, server: str) -> None:
        """End the process of a server, if it runs."""
        socket = self.socket(server)
        end(socket, patience=self._limit)
        socket.unlink(missing_ok=True)

    def remove(self, server: Claim) -> bool:
        """Give a server back with its folder, unless it has namespaces; say whether it is gone.

        To be called with the pool's lock.

        Raises:
            ZosError: its folder cannot be removed now; `reconcile` will try again.

        """
        try:
            self._ledger.claims.begin_release(server.id)
        except (NotFoundError, RefusedError):  # somebody has done it, or has reserved a namespace
            return False
        try:
            self.down(server.id)
            self.socket(server.id).with_suffix(".log").unlink(missing_ok=True)
            _sockets.tidy(self._sockets, self.folder)
            self._pools.evict(server.id)
            self._ledger.claims.forget(server.id)
        finally:
            self._ledger.claims.leave(server.id)
        self._silent.discard(server.id)
        with self._lock:
            self._failures.pop(server.id, None)
        return True

    def running(self) -> list[str]:
        """Return the ids of the servers that run."""
        return [
            f"{ClaimKind.SERVER.value}-{name.removesuffix(_SUFFIX)}"
            for name in serving(self._sockets)
            if name.endswith(_SUFFIX)
        ]

    def port(self, server: str) -> int:
        """Return the port of a server, 0 for one that was never started."""
        return self._ledger.namespaces.sealed(server).port

    def claim(self, server: str) -> Claim:
        """Return the claim of a server."""
        return self._ledger.claims.get(server)

    def _start(self, server: Claim, *, eager: bool) -> None:
        failures, not_before = self._failures.get(server.id, (0, 0.0))
        if not eager and time.monotonic() < not_before:
            raise ZosError(f"0-db {server.id} failed {failures} times, and is started again later")
        self.down(server.id)
        folder = self._pools.path_of(server.id)
        # What is left of namespaces that were not made to their end goes before anybody can see it.
        for claim in self._ledger.claims.all(server=server.id):
            if claim.state is ClaimState.PENDING:
                _remove(folder, claim.id)
        launch = self._launch(server.id, folder, segment_of(self._largest(server.id)))
        sealed = self._ledger.namespaces.sealed(server.id)
        try:
            port = launch.run(sealed.port)
        except BaseException:
            pause = min(_FIRST_PAUSE * 2**failures, _LONGEST_PAUSE)
            with self._lock:
                self._failures[server.id] = failures + 1, time.monotonic() + pause
            raise
        with self._lock:
            self._failures.pop(server.id, None)
        if port != sealed.port:
            self._ledger.namespaces.seal(server.id, Sealed(port=port))

    def _launch(self, server: str, folder: Path, segment: int) -> Launch:
        _sockets.make(self._sockets)
        return Launch(
            socket=self.socket(server),
            folder=folder,
            secret=self._secrets.of(server),
            segment=segment,
            binary=self._config.zdb,
        )

    def _leave_if_gone(self, server: Claim) -> None:
        """End a server whose pool is gone: it would keep what is left of that in use."""
        try:
            self._pools.path_of(server.id)
        except ZosError:
            self.down(server.id)

    def _fit(self, server: Claim) -> None:
        """Give a server's folder the size that its namespaces need, unless it holds more."""
        with contextlib.suppress(RefusedError):
            self._lodge(server, 0)

    def _lodge(self, server: Claim, less: int) -> None:
        room = self._ledger.namespaces.room(server.id)
        self._pools.lodge(server.id, room - less - held_back(self._largest(server.id)))

    def _largest(self, server: str) -> int:
        return max((claim.size for claim in self._ledger.claims.all(server=server)), default=0)


def _remove(folder: Path, namespace: str) -> None:
    """Remove the files of a namespace whose server does not run; ZosError where some are left."""
    for part in ("data", "index"):  # an index without data is whole, data without an index are not
        try:
            shutil.rmtree(folder / part / namespace)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ZosError(
                f"cannot remove {namespace}: {error}", hint="It is tried again; look at its disk"
            ) from error


@contextmanager
def told(what: str, faults: list[str]) -> Iterator[None]:
    """Add what goes wrong to *faults*, and go on."""
    try:
        yield
    except ZosError as error:
        faults.append(f"{what}: {error.message}")
