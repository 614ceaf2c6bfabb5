"""The embedded default: a cloud within the process, named in JSONCONFIG."""

from __future__ import annotations

import threading
import time

from statehold.testing import open_storage
from statehold_aos import service_state


def test_an_app_without_a_cloud_has_one_within_the_process_that_accepts_everything() -> None:
    with open_storage(service_state, config={"Cloud": "in-process"}) as storage:
        key = storage.key(1, Service="nav", Users='["ann"]')
        storage.insert(key, {"State": b"a"})
        end, pause = time.monotonic() + 30, threading.Event()
        while storage.facade.get(key).Status != "accepted":
            assert time.monotonic() < end
            pause.wait(0.01)
        assert storage.facade.get(key).Accepted == storage.facade.get(key).Checksum


def test_a_version_that_was_kept_can_be_brought_back() -> None:
    with open_storage(service_state, config={"Cloud": "in-process"}) as storage:
        key = storage.key(1, Service="nav", Users='["ann"]')
        end, pause = time.monotonic() + 30, threading.Event()
        for state in (b"a", b"b"):
            storage.insert(key, {"State": state})
            while storage.facade.get(key).Status != "accepted":
                assert time.monotonic() < end
                pause.wait(0.01)
        (_, first) = storage.storage.versions(key)
        storage.storage.restore(key, first.checksum)
        assert storage.facade.get(key).State == b"a"
