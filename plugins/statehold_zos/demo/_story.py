from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Final

import attrs
from rich.console import Group
from rich.text import Text

from statehold import cli
from statehold.sdk import StateholdError
from statehold_zdb.client import Client, Place, ReplyError
from statehold_zos.demo._ground import Ground, ground_in
from statehold_zos.demo._left import PREFIX, clear, marked
from statehold_zos.model import (
    DiskState,
    DiskType,
    Mode,
    NamespaceState,
    PoolInfo,
    PoolState,
    Space,
    ZdbNamespace,
    size_text,
)
from statehold_zos.node import Node
from statehold_zos.views import LEGEND, disks_table, pools_table

_MIB: Final = 2**20
_PIECE: Final = 4 * _MIB
#: What it writes at most, at once.
_TAKES: Final = 300 * _MIB
_LOGGERS: Final = ("statehold_zos", "statehold_zdb", "statehold_quota")


@attrs.frozen(kw_only=True)
class Told(cli.Told):
    """What was told, and how limits were kept."""

    limits: str


@attrs.frozen
class Picture:
    """How full the pools of a node are."""

    _node: Node

    def look(self) -> tuple[()]:
        """Tell nothing: the table is enough."""
        return ()

    def table(self) -> Group:
        """Return the pools as they are now."""
        return Group(pools_table(self._node.disks.pools()), Text(LEGEND, style="bright_black"))


def tell(*, quiet: bool = False, color: bool | None = None, plain: bool = False) -> Told:
    """Tell the story in a temporary folder that is gone afterwards, and return it.

    What one that was killed has left is cleared up first.

    Raises:
        StateholdError: a step did not do what the story says.

    """
    with cli.silence(*_LOGGERS):
        clear(Path(gettempdir()))
        try:
            return _told(quiet=quiet, color=color, plain=plain)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise StateholdError(
                f"the demo found no room left in {gettempdir()}, where it writes about {_TAKES // _MIB} MiB",
                hint="Free some there, or let TMPDIR name another folder",
            ) from error


def _told(*, quiet: bool, color: bool | None, plain: bool) -> Told:
    began = time.monotonic()
    with TemporaryDirectory(prefix=PREFIX) as name, marked(Path(name)):
        ground = ground_in(Path(name), plain=plain)
        with (
            _tidy(ground),
            Node(ground.config) as node,
            cli.Teller(Picture(node), quiet=quiet, color=color) as teller,
        ):
            story = Story(ground, node, teller)
            try:
                for step in (
                    story.look,
                    story.prepare,
                    story.fill,
                    story.resize,
                    story.serve,
                    story.pull,
                    story.come_back,
                    story.wipe,
                ):
                    step()
            finally:
                node.namespaces.stop()
    return Told(seconds=time.monotonic() - began, limits=story.limits, steps=teller.steps)


@contextmanager
def _tidy(ground: Ground) -> Iterator[None]:
    try:
        yield
    finally:
        ground.undo()


class Story:
    """What happens, step by step."""

    def __init__(self, ground: Ground, node: Node, teller: cli.Teller) -> None:
        self._ground: Final = ground
        self._node: Final = node
        self._teller: Final = teller
        self._sums: Final[dict[Path, str]] = {}
        self._password: Final = secrets.token_hex(8)
        self.limits = ""

    def look(self) -> None:
        """Look at the disks, and say what could be done."""
        self._teller.step(
            "Four disks",
            f"{self._ground.words} Only what the configuration names is ever written. First one looks.",
        )
        if self._ground.why:
            self._teller.note(f"no disks are made and mounted: {self._ground.why}", sign="!", style="yellow")
        plans = [self._node.disks.plan(policy) for policy in self._ground.policies]
        self._teller.show(disks_table(plans[0].disks))
        count = sum(len(plan.new) for plan in plans)
        self._teller.expect(
            "all four to be free", holds=sum(len(new.disks) for plan in plans for new in plan.new) == 4
        )
        tokens = ", ".join(token for plan in plans for token in plan.tokens)
        self._teller.note(
            f"they can become {count} pools; nothing was written, and nothing will be without the "
            f"tokens of the plan: {tokens}"
        )

    def prepare(self) -> None:
        """Make the pools."""
        self._teller.step("Prepare", "The tokens are given, and the pools are made.")
        began = time.monotonic()
        for policy in self._ground.policies:
            plan = self._node.disks.plan(policy)
            self._node.disks.prepare(policy, tokens=plan.tokens)
        self._node.start()
        pools = self._pools()
        self._teller.expect(
            "all pools to be ready", holds=all(pool.state is PoolState.READY for pool in pools)
        )
        self.limits = pools[0].limits
        self._teller.show()
        self._teller.note(
            f"{len(pools)} pools were made in {time.monotonic() - began:.1f} s; limits are kept by "
            f"{self.limits}"
        )

    def fill(self) -> None:
        """Reserve all of a pool, and fill it to the last byte."""
        self._teller.step(
            "To the last byte",
            """A folder of half an HDD is reserved, and one of all that is left of it. Both are filled to the
            last byte, and then with more.""",
        )
        pool = self._pools(DiskType.HDD)[0]
        half = pool.free // 2 // _MIB * _MIB
        for name, size in (("photos", half), ("films", None)):
            left = self._node.disks.pool(pool.id).free
            space = self._node.pools.reserve(DiskType.HDD, size or left, name=name, pool=pool.id)
            first = space.size // 2 // _MIB * _MIB
            self._write(space, "first", first)
            self._write(space, "second", space.size - first)
            self._teller.note(f"{name}: {space.size:,} bytes reserved, and {space.size:,} written")
        self._teller.expect("nothing to be left of the pool", holds=self._node.disks.pool(pool.id).free == 0)
        self._teller.show()
        self._one_more()
        self._teller.refused(
            "a reservation on a pool that is full",
            lambda: self._node.pools.reserve(DiskType.HDD, 1, pool=pool.id),
        )
        widest = max(each.free for each in self._pools(DiskType.HDD))
        self._teller.refused(
            "one that is larger than what any HDD has left",
            lambda: self._node.pools.reserve(DiskType.HDD, widest + 1),
        )

    def resize(self) -> None:
        """Give a folder another size, and a folder back."""
        self._teller.step(
            "Larger, smaller, given back",
            "The photos need less, the films more. What is in use is never cut off.",
        )
        photos, films = self._space("photos"), self._space("films")
        less, more = (photos.size // 2 // _MIB + 1) * _MIB, 8 * _MIB
        self._teller.refused(
            f"to shrink the photos to {size_text(less)}", lambda: self._node.pools.resize(photos.id, less)
        )
        self._delete(photos, "second")
        self._node.pools.resize(photos.id, less)
        self._teller.note(f"some photos are deleted; then they fit into {size_text(less)}")
        self._node.pools.resize(films.id, films.size + more)
        self._write(films, "third", more - _MIB)
        self._teller.note(f"the films get {size_text(more)} of what is free now, and use it")
        pool = self._node.disks.pool(films.pool)
        self._node.pools.release(films.id)
        self._forget(films)
        free = self._node.disks.pool(films.pool).free
        self._teller.show()
        self._teller.note(f"the films are given back: {size_text(free - pool.free)} are free again")

    def serve(self) -> None:
        """Reserve a namespace of 0-db."""
        self._teller.step(
            "A key-value store",
            """A namespace of 0-db is reserved on SSDs: 16 MiB, with a password. No server runs yet, so one is
            started, in a folder of its own on the pool; it ends with its last namespace.""",
        )
        began = time.monotonic()
        made = self._node.namespaces.reserve(DiskType.SSD, 16 * _MIB, Mode.USER, self._password, name="index")
        self._teller.note(
            f"{made.id} is served at {made.host}:{made.port}, {time.monotonic() - began:.1f} s later"
        )
        with self._client(made) as client:
            for number in range(100):
                client.call(b"SET", b"key %d" % number, hashlib.sha256(b"%d" % number).digest())
        self._teller.note("100 values are written by who has the password")
        self._teller.expect("others to be kept out", holds=not self._gets_in(made, "another one"))
        self._teller.note("who has another password does not get in", sign="✗", style="yellow")
        self._node.namespaces.resize(made.id, 24 * _MIB)
        frozen = self._node.namespaces.freeze(made.id)
        self._teller.expect("it to be frozen", holds=frozen.state is NamespaceState.FROZEN)
        self._node.namespaces.freeze(made.id, frozen=False)
        self._teller.note("it was made larger, frozen, and thawed, while it was in use")

    def pull(self) -> None:
        """Pull disks that are in use."""
        mirror = self._pools(DiskType.SSD)[0]
        mirrored = len(mirror.disks) > 1
        self._teller.step(
            "Disks are pulled",
            "A folder on the SSDs is filled in part. Then "
            + (
                "one of the two SSDs that mirror each other is pulled, and the HDD with the photos."
                if mirrored
                else "the HDD with the photos is pulled, while it is in use."
            ),
        )
        notes = self._node.pools.reserve(DiskType.SSD, 32 * _MIB, name="notes", pool=mirror.id)
        self._write(notes, "first", 12 * _MIB)
        photos = self._space("photos")
        hdd = self._node.disks.pool(photos.pool)
        os.sync()
        pulled = ([mirror.disks[1]] if mirrored else []) + list(hdd.disks)
        for disk in pulled:
            self._ground.pull(self._node, disk)
        self._node.watch.poke()
        self._teller.wait(
            "the node has seen it", lambda: self._node.disks.pool(hdd.id).state is PoolState.GONE
        )
        if mirrored:
            self._teller.wait(
                "the mirror is known to lack one",
                lambda: self._node.disks.pool(mirror.id).state is PoolState.DEGRADED,
            )
        self._teller.show()
        for pool in self._pools():
            if pool.state is not PoolState.READY:
                self._teller.note(f"{pool.id} is {pool.state.value}: {pool.reason}", sign="!", style="yellow")
        self._teller.refused(
            "a reservation on the pool that is gone",
            lambda: self._node.pools.reserve(DiskType.HDD, _MIB, pool=hdd.id),
        )
        if mirrored:
            self._read(notes)
            self._write(notes, "second", 4 * _MIB)
            self._teller.note(
                "what is on the mirror is read, and more is written: one of two disks is enough"
            )
        self._read_values()
        self._teller.note("the key-value store goes on, too")

    def come_back(self) -> None:
        """Put the disks back."""
        self._teller.step(
            "The disks are back",
            "They are put back, with what they had. Nobody has to do anything.",
        )
        away = [pool for pool in self._pools() if pool.state is not PoolState.READY]
        mirror = next((pool for pool in away if len(pool.disks) > 1), None)
        pulled = ([mirror.disks[1]] if mirror else []) + [
            disk for pool in away if pool is not mirror for disk in pool.disks
        ]
        for disk in pulled:
            self._ground.put_back(self._node, disk)
        self._node.watch.poke()
        seconds = self._teller.wait(
            "all pools are ready again",
            lambda: all(pool.state is PoolState.READY for pool in self._pools()),
        )
        self._teller.show()
        self._read(self._space("photos"))
        self._read(self._space("notes"))
        self._read_values()
        self._teller.note(f"all pools are ready after {seconds:.1f} s, and everything is as it was written")
        if mirror is not None:
            self._teller.note("what the second disk missed was written to it meanwhile")

    def wipe(self) -> None:
        """Give all back."""
        self._teller.step(
            "Wipe",
            "Everything is given back: what was reserved, then the disks themselves, by name and by token.",
        )
        first = self._pools(DiskType.HDD)[0]
        full = self._node.disks.pool(self._space("photos").pool)
        self._teller.refused(
            "to wipe a pool that holds something",
            partial(self._node.disks.wipe, full.id, token=self._token(full)),
        )
        for space in self._node.pools.list():
            self._node.pools.release(space.id)
        for namespace in self._node.namespaces.list():
            self._node.namespaces.release(namespace.id, now=True)
        self._node.reconcile()
        self._teller.expect("no server to run", holds=not self._node.namespaces.processes())
        self._teller.note("all is released, and the server of the namespace has ended with it")
        self._teller.refused(
            "to wipe with a token of something else",
            partial(self._node.disks.wipe, first.id, token="wipe-0"),  # noqa: S106
        )
        for pool in self._pools():
            self._node.disks.wipe(pool.id, token=self._token(pool))
        disks = self._node.disks.scan()
        self._teller.show(disks_table(disks))
        self._teller.expect(
            "all disks to be empty", holds=all(disk.state is DiskState.FREE for disk in disks)
        )
        self._teller.note("all four are empty, and can be prepared again")

    # -- What it does ----------------------------------------------------------------------------------------

    def _pools(self, kind: DiskType | None = None) -> list[PoolInfo]:
        return [pool for pool in self._node.disks.pools() if kind in (None, pool.type)]

    def _space(self, name: str) -> Space:
        found = self._node.pools.find("", name)
        if found is None:
            raise StateholdError(f"step {len(self._teller.steps)} of the demo expected {name} to be there")
        return found

    def _token(self, pool: PoolInfo) -> str:
        return next(old.token for old in self._node.disks.plan().pools if old.id == pool.id)

    def _one_more(self) -> None:
        """Write a byte more than fits, and say what comes of it."""
        films = self._space("films")
        try:
            with (films.path / "more").open("wb") as file:
                file.write(b"!" * 4096)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._teller.note(f"more is refused by the system: {error.strerror}", sign="✗", style="yellow")
        else:
            self._teller.expect("limits to be kept", holds="advisory" in self.limits)
            found = self._node.reconcile()
            self._teller.expect("it to be seen", holds=films.id in " ".join(found.pools.over))
            self._teller.note(
                "more is written: in a folder nothing can be refused. It is counted and told, and the pool "
                "takes no more reservations until it is gone",
                sign="!",
                style="yellow",
            )
        with suppress(OSError):
            (films.path / "more").unlink()

    def _write(self, space: Space, name: str, size: int) -> None:
        """Write a file of so many bytes, through to the disk."""
        digest, path = hashlib.sha256(), space.path / name
        with path.open("wb") as file:
            for start in range(0, size, _PIECE):
                data = secrets.token_bytes(min(_PIECE, size - start))
                digest.update(data)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._sums[path] = digest.hexdigest()

    def _delete(self, space: Space, name: str) -> None:
        """Delete a file; its room is free once the disk knows."""
        path = space.path / name
        path.unlink()
        del self._sums[path]
        os.sync()

    def _forget(self, space: Space) -> None:
        for path in [path for path in self._sums if path.is_relative_to(space.path)]:
            del self._sums[path]

    def _read(self, space: Space) -> None:
        """Read all that was written to a space, from the disk."""
        for path, expected in self._sums.items():
            if not path.is_relative_to(space.path):
                continue
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                found = hashlib.file_digest(file, "sha256").hexdigest()
            self._teller.expect(
                f"{path.name} of {space.name} to be what was written", holds=found == expected
            )

    @contextmanager
    def _client(self, namespace: ZdbNamespace) -> Iterator[Client]:
        client = Client(Place(socket=str(namespace.socket), namespace=namespace.id), password=self._password)
        try:
            yield client
        finally:
            client.close()

    @staticmethod
    def _gets_in(namespace: ZdbNamespace, password: str) -> bool:
        try:
            Client(Place(socket=str(namespace.socket), namespace=namespace.id), password=password).close()
        except ReplyError:
            return False
        return True

    def _read_values(self) -> None:
        found = self._node.namespaces.find("", "index")
        self._teller.expect("the namespace to be there", holds=found is not None)
        if found is None:
            return
        with self._client(found) as client:
            for number in range(100):
                value = client.call(b"GET", b"key %d" % number)
                self._teller.expect("its values", holds=value == hashlib.sha256(b"%d" % number).digest())
