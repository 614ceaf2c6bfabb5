"""What is deleted from the store is what nobody needs, now or with the next cut."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from qsfs_machines import SEGMENT, Machine, payload, until
from qsfs_stores import LIMIT, MemoryStore

from statehold_qsfs.protection._claim import take
from statehold_qsfs.protection._publisher import Publisher
from statehold_zdb.engine import Engine, EngineOptions


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
