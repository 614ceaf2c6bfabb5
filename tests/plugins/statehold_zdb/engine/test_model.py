"""The engine against a dict that has the same history."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from zdb_engines import SEGMENT, contents, opened, scanned

from statehold_zdb.engine import Durability, Mode

KEYS = st.sampled_from([b"a", b"b", b"c", b"\x00", b"\r\n", b"a" * 255]) | st.binary(min_size=1, max_size=255)
PAYLOADS = st.sampled_from([b"", b"\xf5zR\x01" * 30, b"x" * 4097, b"y" * 200_000]) | st.binary(max_size=300)
DURABILITIES = st.sampled_from(["every", "group", "relaxed"])


class Histories(RuleBasedStateMachine):
    mode = Mode.USER

    @initialize(durability=DURABILITIES)
    def open(self, durability):
        self.folder = Path(tempfile.mkdtemp(prefix="zdb-model-"))
        self.model: dict[bytes, bytes] = {}
        self.versions: dict[bytes, list[bytes]] = {}
        self.next_id = 0
        self.options = {
            "durability": Durability.parse(durability),
            "segment_size": SEGMENT,
            "mode": self.mode,
        }
        self.engine = opened(self.folder, **self.options)
        self.namespace = self.engine["default"]

    def teardown(self):
        if hasattr(self, "engine"):
            self.is_as_expected()
            self.engine.close()
            shutil.rmtree(self.folder)

    def known(self, number: int) -> bytes | None:
        keys = list(self.model)
        return keys[number % len(keys)] if keys else None

    @precondition(lambda self: self.mode is Mode.USER)
    @rule(key=KEYS, payload=PAYLOADS)
    def insert(self, key, payload):
        self.put(key, payload)

    @precondition(lambda self: self.mode is Mode.SEQUENTIAL)
    @rule(payload=PAYLOADS)
    def make(self, payload):
        assert self.namespace.set(b"", payload) == self.next_id.to_bytes(8, "little")
        key = self.next_id.to_bytes(8, "little")
        self.next_id += 1
        self.model[key] = payload
        self.versions[key] = [payload]

    @rule(number=st.integers(0, 50), payload=PAYLOADS)
    def update(self, number, payload):
        if (key := self.known(number)) is not None:
            self.put(key, payload)

    def put(self, key, payload):
        same = self.model.get(key) == payload
        assert self.namespace.set(key, payload) == (None if same else key)
        self.model.pop(key) if key in self.model and not same else None
        self.model[key] = payload
        if not same:
            self.versions.setdefault(key, []).append(payload)

    @rule(number=st.integers(0, 50))
    def delete(self, number):
        if (key := self.known(number)) is not None:
            assert self.namespace.delete(key)
            assert not self.namespace.delete(key)
            del self.model[key], self.versions[key]

    @rule(keys=st.lists(KEYS, max_size=5, unique=True), payload=PAYLOADS)
    @precondition(lambda self: self.mode is Mode.USER)
    def write_several(self, keys, payload):
        self.namespace.write([(key, payload) for key in keys])
        for key in keys:
            if self.model.get(key) != payload:
                self.model.pop(key, None)
                self.model[key] = payload
                self.versions.setdefault(key, []).append(payload)

    @rule()
    def close_a_segment(self):
        self.namespace.jump()

    @rule()
    def compact(self):
        self.namespace.compact()
        # Of older versions those are gone that stood in closed segments: all.
        self.versions = {key: [payload] for key, payload in self.model.items()}

    @rule(gone=st.booleans())
    def open_again(self, gone):
        self.engine.close()
        if gone:
            for index in (self.folder / "index" / "default").glob("i*"):
                index.unlink()
        self.engine = opened(self.folder, **self.options)
        self.namespace = self.engine["default"]
        assert self.namespace.figures().live_bytes == sum(map(len, self.model.values()))

    @rule()
    def die(self):
        # As a killed process leaves it: all that was acknowledged is in files.
        self.engine["default"].abandon("it died")
        self.engine.close()
        self.engine = opened(self.folder, **self.options)
        self.namespace = self.engine["default"]

    @rule()
    def reload(self):
        self.engine.reload("default")

    @rule()
    def clear(self):
        self.namespace.clear()
        self.model.clear()
        self.versions.clear()
        self.next_id = 0

    @rule()
    def is_as_expected(self):
        namespace, model = self.namespace, self.model
        assert len(namespace) == len(model)
        assert contents(namespace) == model
        assert scanned(namespace) == list(model)
        assert scanned(namespace, backward=True) == list(model)[::-1]
        assert namespace.figures().live_bytes == sum(map(len, model.values()))
        for key, versions in self.versions.items():
            found, before = [], None
            while True:
                version = namespace.history(key, before)
                found.append(version.payload)
                before = version.before
                if before is None:
                    break
            assert found == versions[::-1]


class SequentialHistories(Histories):
    mode = Mode.SEQUENTIAL


@pytest.mark.parametrize("histories", [Histories, SequentialHistories])
def test_after_any_history_every_answer_is_that_of_a_dict(histories: type[Histories]) -> None:
    """Whatever was written, deleted, compacted, closed, killed and opened again."""
    run_state_machine_as_test(
        histories, settings=settings(max_examples=12, stateful_step_count=25, deadline=None)
    )


@pytest.mark.soak
@pytest.mark.parametrize("histories", [Histories, SequentialHistories])
def test_after_many_long_histories(histories: type[Histories]) -> None:
    """The same, more and longer."""
    run_state_machine_as_test(
        histories, settings=settings(max_examples=400, stateful_step_count=80, deadline=None)
    )
