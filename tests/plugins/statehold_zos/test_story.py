"""The whole story of four disks, for real: on btrfs where this machine can, and on folders without root."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest
import zos_disks
import zos_namespaces

from statehold_zdb.client import Client, Place, ReplyError
from statehold_zos.demo import Folders, Ground, Images
from statehold_zos.model import (
    DiskState,
    DiskType,
    EventKind,
    Mode,
    NoSpaceError,
    PoolEvent,
    PoolInfo,
    PoolState,
    RefusedError,
    Space,
    ZosError,
)
from statehold_zos.node import Node
from statehold_zos.watch import Subscription

MIB = 2**20
LIMIT = 120.0
PASSWORD = "correct horse"


@pytest.fixture(params=["btrfs", "folders"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """Give four disks: images, two of which mirror each other, or folders."""
    if request.param == "folders":
        yield Folders(tmp_path, "a test says so")
        return
    with zos_disks.four_disks_in(tmp_path):  # skips where nothing can be mounted, and undoes all
        yield Images(tmp_path)


@pytest.fixture
def node(ground: Ground) -> Iterator[Node]:
    try:
        with Node(ground.config) as node:
            yield node
    finally:  # when nobody looks after it any more, who would start its server again
        zos_namespaces.end_all(ground.config.folder / "zdb")


@attrs.define
class Heard:
    """What a subscription has told so far."""

    _subscription: Subscription
    _events: list[PoolEvent] = attrs.field(factory=list, init=False)

    def has(self, kind: EventKind, disk: str) -> bool:
        """Say whether this was told of a disk."""
        while (event := self._subscription.get(0)) is not None:
            self._events.append(event)
        return any((event.kind, event.disk) == (kind, disk) for event in self._events)


def until(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)


def pools(node: Node, kind: DiskType) -> list[PoolInfo]:
    return [pool for pool in node.disks.pools() if pool.type is kind]


def fill(space: Space, name: str, size: int) -> str:
    """Write a file of so many bytes, none of which can be made smaller, and return their digest."""
    digest = hashlib.sha256()
    with (space.path / name).open("wb") as file:
        for start in range(0, size, MIB):
            data = os.urandom(min(MIB, size - start))
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def read(space: Space, name: str) -> str:
    """Return the digest of a file, as the disk has it."""
    with (space.path / name).open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_four_disks_are_prepared_filled_pulled_put_back_and_wiped(ground: Ground, node: Node) -> None:
    # A plan changes nothing, and what it does not name by a token is not done.
    for disk in node.disks.plan(ground.policies[0]).disks:
        assert disk.state is DiskState.FREE
        assert not Path(disk.name).exists()
    with pytest.raises(RefusedError):
        node.disks.prepare(ground.policies[0], tokens=["make-000000000000"])
    for policy in ground.policies:
        made = node.disks.prepare(policy, tokens=node.disks.plan(policy).tokens)
        assert [pool for pool in made if pool.state is not PoolState.READY] == []
    node.start()
    heard = Heard(node.watch.monitor())
    enforced = "advisory" not in node.disks.pools()[0].limits
    assert enforced is isinstance(ground, Images)
    assert sum(len(pool.disks) for pool in node.disks.pools()) == 4

    # To the last byte of a pool, in two spaces, both of which can be filled at once.
    pool = pools(node, DiskType.HDD)[0]
    first = node.pools.reserve(DiskType.HDD, pool.free // 2 // MIB * MIB, name="first", pool=pool.id)
    rest = node.disks.pool(pool.id).free
    second = node.pools.reserve(DiskType.HDD, rest, name="second", pool=pool.id)
    assert (first.size + second.size, node.disks.pool(pool.id).free) == (pool.free, 0)
    half = first.size // 2 // MIB * MIB
    kept = fill(first, "kept", half)
    fill(first, "more", first.size - half)
    fill(second, "all", second.size)

    # Nothing beyond: not in a space, not in the pool, not where no pool has room.
    if enforced:
        with pytest.raises(OSError, match=os.strerror(errno.EDQUOT)):
            fill(second, "beyond", 4096)
    else:
        fill(second, "beyond", 4096)
        assert second.id in " ".join(node.reconcile().pools.over)
    (second.path / "beyond").unlink(missing_ok=True)
    with pytest.raises(NoSpaceError):
        node.pools.reserve(DiskType.HDD, 1, pool=pool.id)
    with pytest.raises(NoSpaceError):
        node.pools.reserve(DiskType.HDD, max(each.free for each in pools(node, DiskType.HDD)) + 1)

    # Smaller, larger and given back; the room goes to where it is needed, and what is in use stays.
    with pytest.raises(RefusedError):
        node.pools.resize(first.id, half)
    (first.path / "more").unlink()
    os.sync()
    first = node.pools.resize(first.id, half + MIB)
    freed = node.disks.pool(pool.id).free
    assert freed > 0
    second = node.pools.resize(second.id, second.size + freed)
    assert node.disks.pool(pool.id).free == 0
    if enforced:
        fill(second, "grown", freed - MIB)
    node.pools.release(second.id)
    assert not second.path.exists()
    assert node.disks.pool(pool.id).free == pool.free - first.size

    # A namespace, on a server that is started for it, and that keeps others out.
    made = node.namespaces.reserve(DiskType.SSD, 8 * MIB, Mode.USER, PASSWORD, name="index")
    place = Place(socket=str(made.socket), namespace=made.id)
    with closing(Client(place, password=PASSWORD)) as client:
        assert client.call(b"SET", b"key", b"value") == b"key"
    with pytest.raises(ReplyError):
        Client(place, password="another")
    made = node.namespaces.resize(made.id, 16 * MIB)

    # A disk is pulled while it is in use, of a mirror and alone; and both come back with what they had.
    notes = node.pools.reserve(DiskType.SSD, 16 * MIB, name="notes", pool=made.pool)
    noted = fill(notes, "noted", 4 * MIB)
    os.sync()
    mirror = node.disks.pool(made.pool)
    pulled = [*mirror.disks[1:], *pool.disks]
    for disk in pulled:
        ground.pull(node, disk)
    node.watch.poke()
    until(lambda: all(heard.has(EventKind.REMOVED, disk) for disk in pulled))
    until(lambda: node.disks.pool(pool.id).state is PoolState.GONE)
    with pytest.raises(ZosError):
        node.pools.reserve(DiskType.HDD, MIB, pool=pool.id)
    if len(mirror.disks) > 1:
        until(lambda: node.disks.pool(mirror.id).state is PoolState.DEGRADED)
        assert read(notes, "noted") == noted
        later = fill(notes, "later", MIB)
    with closing(Client(place, password=PASSWORD)) as client:
        assert client.call(b"GET", b"key") == b"value"
    for disk in pulled:
        ground.put_back(node, disk)
    node.watch.poke()
    until(lambda: all(each.state is PoolState.READY for each in node.disks.pools()))
    assert read(first, "kept") == kept
    assert read(notes, "noted") == noted
    if len(mirror.disks) > 1:
        assert read(notes, "later") == later
    until(lambda: all(heard.has(EventKind.BACK, disk) for disk in pulled))

    # Wiped only by name and token, and only when nothing is left.
    tokens = {old.id: old.token for old in node.disks.plan().pools}
    with pytest.raises(RefusedError):
        node.disks.wipe(pool.id, token=tokens[pool.id])
    for space in node.pools.list():
        node.pools.release(space.id)
    node.namespaces.release(made.id, now=True)
    node.reconcile()
    assert node.namespaces.processes() == []
    assert node.ledger.check() == []
    with pytest.raises(RefusedError):
        node.disks.wipe(pool.id, token=next(token for name, token in tokens.items() if name != pool.id))
    for old in node.disks.plan().pools:
        node.disks.wipe(old.id, token=old.token)
    assert node.disks.pools() == []
    assert {disk.state for disk in node.disks.scan()} == {DiskState.FREE}
