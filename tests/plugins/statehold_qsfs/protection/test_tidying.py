"""What is deleted from the store is what nobody needs, now or with the next cut."""

from __future__ import annotations

import errno
import io
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from qsfs_machines import SEGMENT, Machine, payload, until
from qsfs_stores import LIMIT, MemoryStore

from statehold_qsfs.protection import restore
from statehold_qsfs.protection._claim import take
from statehold_qsfs.protection._publisher import Publisher
from statehold_zdb.engine import Engine, EngineOptions, Part


def test_a_segment_that_is_sealed_while_a_cut_is_sent_is_not_deleted_before_the_next_one(tmp_path):
    store = MemoryStore()
    claim = take(store, "qsfs", "owner", over=False)
    state = claim.load()
    with (
        ThreadPoolExecutor(1) as pool,
        Engine(tmp_path / "data", tmp_path / "index", options=EngineOptions(segment_size=SEGMENT)) as engine,
    ):
        logger = logging.getLogger(__name__)
        publisher = Publisher(engine, claim, state, threading.RLock(), pool, logger, threading.Event())
        a, b = engine.create("a"), engine.create("b")
        for i in range(60):
            a.set(b"%d" % i, payload(i))
        publisher.publish()
        for i in range(400):
            b.set(b"%d" % i, payload(i))
        sealed = []

        def seal(what: str, _: str) -> None:
            """Close the segment of which all is stored already, and seal it, while others are sent."""
            if what == "put" and not sealed:
                sealed.append(engine.cut()["a"].parts[0])
                for i in range(60, 70):
                    a.set(b"%d" % i, payload(i, 60_000))
                a.sync()
                a.write_index()
                part = engine.cut()["a"].parts[0]
                assert part.closed
                assert state.areas["a"].parts[0].covers(part)
                publisher.seal("a", part)

        store.before = seal
        publisher.publish()
        assert not sealed[0].closed
        publisher.write_base()
        publisher.publish()
        assert state.areas["a"].parts[0].whole is not None
        publisher.write_base()
        assert set(state.needed()) <= set(store.objects)


def test_objects_of_others_below_the_same_prefix_are_left_alone(tmp_path):
    store = MemoryStore()
    others = {"qsfs/document", "qsfs/document-of-somebody", "qsfs/00000000-not-a-term/of-ours"}
    for name in others:
        store.put(name, b"1")
    with Machine(tmp_path / "one", store) as one:
        one.names.set(b"1", b"1")
        one.protection.barrier(LIMIT)
        lost = one.protection._claim.name(0x12345)  # as after a kill between two steps
        store.put(lost, b"1")
    with Machine(tmp_path / "one", store) as one:
        until(lambda: lost not in store.objects)
        assert not one.protection.figures().problem
    assert others <= set(store.objects)


@pytest.mark.parametrize("barriers", [1, 60])
def test_what_a_disk_damages_later_does_not_take_the_place_of_what_was_sent(tmp_path, barriers):
    """As a whole, when the segment is closed, and when many small pieces of it become one."""
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=1.0 if barriers == 1 else 600.0) as one:
        for i in range(barriers):
            if i == min(barriers, 40):
                damage(one.engine.data / "default" / "d0", payload(3, 3000))
            one.fill(5, start=5 * i, size=3000 if i < 20 else 30)
            one.protection.barrier(LIMIT)
        if barriers == 1:
            damage(one.engine.data / "default" / "d0", payload(3, 3000))
            one.fill(300, start=5)
            one.settle()
        one.protection._publisher.write_base()
    if barriers == 1:  # as the operator is told to
        (tmp_path / "one" / "data" / "default" / "d0").unlink()
        with Machine(tmp_path / "one", store) as one:
            assert one.names.get(b"3") == payload(3, 3000)
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        assert two.names.get(b"3") == payload(3, 3000)
        assert all(two.contents()["default"].values())


@pytest.mark.parametrize("turned", [True, False])
def test_what_a_disk_damages_keeps_what_is_written_behind_it_from_nothing(tmp_path, monkeypatch, turned):
    """It is sent, and small pieces of it become one: each change names all pieces of a segment."""
    store = MemoryStore()
    with Machine(tmp_path / "one", store, window=600.0) as one:
        one.fill(5, size=3000)
        one.protection.barrier(LIMIT)
        (first,) = one.protection.kept("default", 0).extents
        if turned:
            damage(one.engine.data / "default" / "d0", payload(3, 3000))
        else:
            monkeypatch.setattr(Part, "open", unread(Part.open, first.end))
        for i in range(5, 200):
            one.fill(1, start=i, size=60)
            one.protection.barrier(LIMIT)
        extents = one.protection.kept("default", 0).extents
        assert extents[0] == first
        assert len(extents) < 100
    monkeypatch.undo()
    restore(store, tmp_path / "two")
    with Machine(tmp_path / "two", store) as two:
        found = two.contents()["default"]
        assert found == {b"%d" % i: payload(i, 3000 if i < 5 else 60) for i in range(200)}


def unread(opened: Callable[[Part], BinaryIO], end: int) -> Callable[[Part], BinaryIO]:
    """Return what opens a segment of which the disk does not read the bytes before *end* any more."""

    class Bad(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() < end:
                raise OSError(errno.EIO, "a bad disk")
            return super().read(size)

    def open_(part: Part) -> BinaryIO:
        with opened(part) as file:
            return Bad(file.read())

    return open_


def damage(path: Path, data: bytes) -> None:
    """Turn a bit in a segment, where *data* are."""
    at = path.read_bytes().index(data)
    with path.open("r+b") as file:
        file.seek(at + 1)
        file.write(bytes([data[1] ^ 0x10]))
