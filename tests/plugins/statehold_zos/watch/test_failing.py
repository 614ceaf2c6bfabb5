"""Disks that fail: they are marked, and what is on them gets elsewhere where nothing is lost by that."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import zos_disks
from watching import LIMIT, Node, contents, node_on, pull, pull_partly, put_back, space, write

from statehold_zos.disks import _making
from statehold_zos.model import (
    Config,
    DiskState,
    DiskType,
    EventKind,
    Health,
    Image,
    Policy,
    PoolState,
    Raid,
)
from statehold_zos.watch import MoveKind, Watch, _care, _moves
from statehold_zos.watch._btrfs import Btrfs

REMOVED, BACK, FAILING = EventKind.REMOVED, EventKind.BACK, EventKind.FAILING
DATA = os.urandom(8 * 2**20)


def fill(node: Node) -> Path:
    """Write something into the only pool, and return the file."""
    file = space(node) / "file"
    write(file, DATA)
    Btrfs(node.disks.pools()[0].path).commit()
    return file


def test_a_disk_that_does_not_take_what_is_written_is_failing(images: Config) -> None:
    images = attrs.evolve(images, images=images.images[:1])
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        (name,) = pool.disks
        node.look()
        pull_partly(node, name)
        file = space(node) / "file"
        for number in range(12):
            write(file.with_name(f"file{number}"), DATA)
        assert node.look() == [(FAILING, name), (FAILING, "pool")]
        found = node.disks.pool(pool.id)
        assert (found.state, found.free) == (PoolState.FAILING, 0)
        assert "write errors" in node.info(name).reason
        assert "no disk that is allowed is free" in found.reason
        assert node.look() == []
        put_back(node, name)
        assert node.look() == [], "who says that it may be relied on again is the operator"
        node.disks.mark(name, "")
        assert node.look() == [(BACK, name), (BACK, "pool")]
        assert node.look() == []


def test_what_a_failing_disk_of_a_mirror_held_is_copied_to_a_free_disk(mirror: Config) -> None:
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        failing, other = pool.disks
        node.look()
        file = fill(node)
        pull_partly(node, failing)
        for number in range(12):
            write(file.with_name(f"file{number}"), DATA)
        told = node.until(PoolState.READY, pool.id)
        assert told[0] == (FAILING, failing)
        assert told[-1] == (BACK, "pool")
        found = node.disks.pool(pool.id)
        assert other in found.disks
        assert failing not in found.disks
        assert len(found.disks) == 2
        assert found.free > 0
        assert node.info(failing).state is DiskState.FAILING, "it is not taken for a free disk"
        assert not [event for event in node.events if event.kind is REMOVED], "it is there all the time"
        pull(node, other)
        assert contents(file) == DATA
        assert contents(file.with_name("file11")) == DATA
        put_back(node, other)
        assert node.watch.moves() == ()


def test_a_dead_disk_of_a_mirror_is_replaced_by_what_the_other_one_holds(mirror: Config) -> None:
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        dead, other = pool.disks
        node.look()
        file = fill(node)
        pull(node, dead)
        assert node.look() == [(REMOVED, dead)]
        node.disks.mark(dead, "the operator took it out for good")
        node.until(PoolState.READY, pool.id)
        found = node.disks.pool(pool.id)
        assert dead not in found.disks
        pull(node, other)
        assert contents(file) == DATA
        put_back(node, other)


def test_without_a_free_disk_a_failing_one_leaves_when_those_left_hold_all(images: Config) -> None:
    images = attrs.evolve(images, policy=Policy(raid=Raid.RAID1, disks=4))
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        failing = pool.disks[0]
        file = fill(node)
        node.disks.mark(failing, "old")
        node.until(PoolState.READY, pool.id)
        found = node.disks.pool(pool.id)
        assert found.disks == pool.disks[1:]
        assert found.size < pool.size, "what may be reserved is what the disks left can hold"
        assert node.ledger.pools.get(pool.id).size == found.size
        assert contents(file) == DATA


def test_without_a_free_disk_a_failing_one_stays_when_those_left_cannot_hold_all(images: Config) -> None:
    images = attrs.evolve(images, images=images.images[:2], policy=Policy(raid=Raid.RAID1, disks=2))
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        file = fill(node)
        node.disks.mark(pool.disks[0], "old")
        node.look()
        found = node.disks.pool(pool.id)
        assert found.state is PoolState.FAILING
        assert found.disks == pool.disks
        assert "those left are too few" in found.reason
        assert contents(file) == DATA


def test_without_copies_a_free_disk_joins_and_the_failing_one_leaves(images: Config) -> None:
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        (failing,) = pool.disks
        file = fill(node)
        node.disks.mark(failing, "old")
        told = node.until(PoolState.READY, pool.id)
        assert (BACK, "pool") in told
        found = node.disks.pool(pool.id)
        assert len(found.disks) == 1
        assert failing not in found.disks
        assert contents(file) == DATA


def test_nothing_is_moved_to_a_disk_of_another_type_or_one_that_holds_something(mirror: Config) -> None:
    last, foreign = mirror.images[3].path, mirror.images[2].path
    mirror = attrs.evolve(mirror, types={**mirror.types, str(last): DiskType.HDD})
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        assert str(last) not in pool.disks
        with foreign.open("wb") as file:
            file.truncate(mirror.images[2].size)
            file.write(b"\0" * 1024 + b"\0" * 56 + b"\x53\xef" + b"\0" * 200)
            file.seek(0)
        before = zos_disks.contents(foreign)
        if node.info(str(foreign)).state is DiskState.FREE:
            pytest.fail("what is on the disk was not found")
        node.disks.mark(pool.disks[0], "old")
        node.look()
        assert node.disks.pool(pool.id).state is PoolState.FAILING
        assert "no disk that is allowed is free" in node.disks.pool(pool.id).reason
        assert zos_disks.contents(foreign) == before


def test_a_pool_whose_contents_cannot_be_moved_keeps_nobody_from_seeing_the_others(
    images: Config, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    nowhere = Image(path=tmp_path / "file" / "disk.img", size=images.images[0].size)
    allowed = (*images.images[:2], nowhere)
    types = dict.fromkeys((str(image.path) for image in allowed), DiskType.SSD)
    images = attrs.evolve(images, images=allowed, types=types, policy=Policy(pools=2), every=0.0)
    with node_on(images) as node:
        first, second = node.disks.pools()
        node.look()
        node.disks.mark(first.disks[0], "old")
        assert node.look() == [(FAILING, first.disks[0]), (FAILING, "pool")]
        assert "add failed: cannot make the image" in node.disks.pool(first.id).reason
        os.truncate(second.disks[0], 0)
        assert (FAILING, second.disks[0]) in node.look()


def test_contents_are_not_moved_to_a_disk_that_has_become_a_pool_meanwhile(
    mirror: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = attrs.evolve(mirror, images=mirror.images[:3])
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        (free,) = set(node.names) - set(pool.disks)
        file = fill(node)
        node.disks.mark(pool.disks[0], "old")
        more, plain, made = Policy(pools=2), _care.choose, []

        def choose(*given: Any, **named: Any) -> object:
            chosen = plain(*given, **named)
            if not made:
                made.extend(node.disks.prepare(more, tokens=node.disks.plan(more).tokens))
            return chosen

        monkeypatch.setattr(_care, "choose", choose)
        node.look()
        assert [one.state for one in made if one.disks == (free,)] == [PoolState.READY]
        assert f"{free} is not free any more" in node.disks.pool(pool.id).reason
        assert node.pool_of(free).state is PoolState.READY
        assert node.disks.pool(pool.id).disks == pool.disks
        assert contents(file) == DATA


def test_a_pool_that_is_being_made_is_told_when_it_is_there(
    images: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain: Callable[..., Health] = _making.write_health
    seen: list[tuple[EventKind, str]] = []
    with node_on(images, prepare=False) as node:

        def write_health(path: str) -> Health:
            seen.extend(node.look())
            return plain(path)

        assert node.look() == []
        monkeypatch.setattr(_making, "write_health", write_health)
        (pool,) = node.disks.prepare(tokens=node.disks.plan().tokens)
        assert seen == [(EventKind.ADDED, pool.disks[0])]
        assert node.look() == [(EventKind.ADDED, "pool")]


def test_wrong_contents_of_one_disk_of_a_mirror_are_mended(mirror: Config) -> None:
    marker = b"statehold wrong contents" * 1000
    with node_on(mirror) as node:
        (pool,) = node.disks.pools()
        file = space(node) / "file"
        write(file, marker + DATA)
        Btrfs(pool.path).commit()
        wrong = pool.disks[1]
        place = place_of(marker, wrong)
        spoil(wrong, place)
        read_until_noticed(pool.path, file)
        node.look_until(lambda: not noticed(pool.path), "the repair never ends")
        assert node.disks.pool(pool.id).state is PoolState.READY
        assert node.disks.pool(pool.id).disks == pool.disks
        assert not node.info(wrong).health.reason
        assert not list(Path("/var/lib/btrfs").glob(f"*{node.disks.record(pool.id).uuid}*"))
        with Path(wrong).open("rb") as image:
            image.seek(place)
            assert image.read(len(marker)) == marker


def test_a_disk_that_cannot_be_read_at_all_is_failing_and_is_left(mirror: Config) -> None:
    with node_on(attrs.evolve(mirror, every=0.0)) as node:
        (pool,) = node.disks.pools()
        dead, other = pool.disks
        file = fill(node)
        assert node.look() == []
        os.truncate(dead, 0)  # the loop device is as large as before, and reads nothing
        assert (FAILING, dead) in node.look()
        node.until(PoolState.READY, pool.id)
        assert dead not in node.disks.pool(pool.id).disks
        pull(node, other)
        assert contents(file) == DATA
        put_back(node, other)


def test_contents_that_are_wrong_again_and_again_are_a_failing_disk(mirror: Config) -> None:
    with node_on(attrs.evolve(mirror, images=mirror.images[:2])) as node:
        (pool,) = node.disks.pools()
        marker = b"statehold wrong contents" * 1000
        file = space(node) / "file"
        write(file, marker + DATA)
        Btrfs(pool.path).commit()
        wrong = pool.disks[0]
        place = place_of(marker, wrong)
        for _ in range(3):
            spoil(wrong, place)
            read_until_noticed(pool.path, file)
            node.look_until(lambda: not noticed(pool.path), "the repair never ends")
            assert not node.info(wrong).health.reason
        spoil(wrong, place)
        read_until_noticed(pool.path, file)
        assert (FAILING, wrong) in node.until(PoolState.FAILING, pool.id)
        assert "again after 3 repairs" in node.info(wrong).reason
        assert contents(file) == marker + DATA


@pytest.mark.parametrize("raid", [Raid.SINGLE, Raid.RAID1])
def test_what_a_killed_process_was_moving_gets_to_its_end(images: Config, raid: Raid) -> None:
    kill_while_moving(images, raid)


def test_a_disk_that_was_about_to_join_when_its_process_was_killed_is_the_only_one_that_joins(
    images: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        (failing,) = pool.disks
        file = fill(node)
        node.disks.mark(failing, "old")
        with monkeypatch.context() as patch:
            program = slow_btrfs(tmp_path / "slow-btrfs", begun, go_on)
            patch.setattr(_moves, "_btrfs", lambda: str(program))
            patch.setattr(_moves.Running, "wait_until_at_work", lambda *_: None, raising=False)
            node.look()
            node.watch.stop()  # what it began goes on, as after a kill
        node.watch = Watch(node.config, node.disks, node.ledger)
        node.look_until(begun.exists, "it never begins")
        for _ in range(3):
            node.look()
        (move,) = node.watch.moves()
        assert (move.kind, move.disk, move.done) == (MoveKind.ADD, failing, 0.0)
        go_on.touch()
        node.until(PoolState.READY, pool.id)
        assert node.disks.pool(pool.id).disks == (move.target,)
        assert contents(file) == DATA
        node.watch.stop()


def slow_btrfs(program: Path, begun: Path, go_on: Path) -> Path:
    """Make a program `btrfs` that does nothing before there is a file, a minute at most."""
    program.write_text(
        f"""#!/bin/sh
touch {begun}
for turn in $(seq 1200); do [ -e {go_on} ] && break; sleep 0.05; done
PATH=/usr/sbin:/usr/bin:/sbin:/bin exec btrfs "$@"
"""
    )
    program.chmod(0o755)
    return program


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(20))
@pytest.mark.parametrize("raid", [Raid.SINGLE, Raid.RAID1])
def test_what_processes_were_moving_when_they_were_killed_gets_to_its_end(
    images: Config, raid: Raid, turn: int
) -> None:
    kill_while_moving(images, raid, after=turn * 0.02)


def kill_while_moving(images: Config, raid: Raid, after: float = 0.0) -> None:
    """Kill a process that has begun to move contents, and look whether another one finishes that."""
    images = attrs.evolve(images, policy=Policy(raid=raid, disks=raid.least, pools=1))
    with node_on(images) as node:
        (pool,) = node.disks.pools()
        failing = pool.disks[0]
        file = fill(node)
        for number in range(6):
            write(file.with_name(f"file{number}"), DATA)
        node.disks.mark(failing, "old")
        seen = kill_another(images, after)
        assert seen.startswith(pool.id)
        node.until(PoolState.READY, pool.id)
        found = node.disks.pool(pool.id)
        assert failing not in found.disks
        assert len(found.disks) == raid.least
        assert contents(file) == DATA
        assert contents(file.with_name("file5")) == DATA
        assert node.watch.moves() == ()
        assert node.disks.start()[0].state is PoolState.READY


def kill_another(config: Config, after: float) -> str:
    """Let another process look after a node, kill it while it moves something, and return what."""
    script = Path(__file__).with_name("look_on_and_on.py")
    command = [sys.executable, script, config.folder, *(image.path for image in config.images)]
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        try:
            assert process.stdout
            seen = process.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(after)
        finally:
            process.kill()
    return seen


def place_of(marker: bytes, disk: str) -> int:
    """Return where something is on a disk."""
    first = next(page for page, held in sorted(zos_disks.contents(Path(disk)).items()) if marker[:64] in held)
    with Path(disk).open("rb") as image:
        image.seek(first)
        return first + image.read(4096).index(marker[:64])


def spoil(disk: str, place: int) -> None:
    """Change what is on a disk behind the back of the file system."""
    with Path(disk).open("r+b") as image:
        image.seek(place)
        image.write(b"garbage" * 1000)
        image.flush()
        os.fsync(image.fileno())


def noticed(root: Path) -> bool:
    """Whether btrfs has come upon something wrong."""
    return any(member.errors.any for member in Btrfs(root).members)


def read_until_noticed(root: Path, file: Path) -> None:
    """Read a file until btrfs has come upon what is wrong; which of the copies it reads is up to it."""
    end = time.monotonic() + LIMIT
    while not noticed(root):
        thread = threading.Thread(target=contents, args=(file,))  # it chooses by who reads
        thread.start()
        thread.join()
        assert time.monotonic() < end
