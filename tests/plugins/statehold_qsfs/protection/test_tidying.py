"""What is deleted from the store is what nobody needs, now or with the next cut."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from qsfs_machines import SEGMENT, payload
from qsfs_stores import MemoryStore

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
