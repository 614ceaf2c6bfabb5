"""A unit and a cloud over a network that loses, doubles and reorders, with crashes at every moment."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from statehold_aos._state._facts import Disk, Facts, Rule, Step
from statehold_aos._state._protocol import Now, Protocol
from statehold_aos.gateway import ClaimId, Cloud, NewState, StateAcceptance, checksum_of

CLAIM = ClaimId(1, "nav", '["ann"]')


def durable(facts: Facts) -> Facts:
    """Return what a restart leaves."""
    return replace(facts, tries=0, due=None)


class Crash(Exception):
    """The host ends here."""


class TwoSides(RuleBasedStateMachine):
    """What is written has a number, so that no state is written twice but where the test says so."""

    @initialize(rule=st.sampled_from(Rule))
    def begin(self, rule: Rule) -> None:
        numbers = itertools.count(1)
        self.numbers = numbers
        self.protocol = Protocol(rule=rule, new_id=lambda: f"c{next(numbers)}")
        self.cloud_had: set[bytes | None] = {None}
        self.cloud = Cloud(judge=self.judge, default=b"default", now=lambda: 1)
        self.saved = self.facts = Facts(id=CLAIM, limit=40)
        self.file: bytes | None = None
        self.changed = 0
        self.kept: set[bytes] = set()
        self.to_cloud: list[Any] = []
        self.to_unit: list[Any] = []
        self.time = 1
        self.dies_before: str | None = None

    # -- The unit's side ---------------------------------------------------------------------------------

    @property
    def now(self) -> Now:
        return Now(self.time, self.time)

    @property
    def disk(self) -> Disk:
        if self.file is not None and len(self.file) > self.facts.limit:
            return Disk(None, self.changed, size=len(self.file))
        return Disk(self.file, self.changed)

    def take(self, step: Step | None) -> None:
        if step is None:
            return
        self.moment("keep")
        self.kept |= {one.state for one in step.keep}
        self.moment("write")
        if step.write is not None:
            known = self.kept | self.cloud_had | {step.write}
            too_big = self.file is not None and len(self.file) > self.facts.limit
            assert self.file in known or too_big, f"{self.file!r} is overwritten, and nobody has it"
            self.file = step.write
        self.moment("save")
        self.saved = durable(step.facts)
        self.facts = step.facts
        self.moment("send")
        self.to_cloud += step.send

    def moment(self, name: str) -> None:
        if self.dies_before == name:
            raise Crash

    def does(self, step: Any) -> None:
        """Take a step, in which the host may end; then it starts again."""
        try:
            self.take(step())
        except Crash:
            self.dies_before = None
            self.facts = self.saved
            self.take(self.protocol.opened(self.facts, self.disk, self.now))
        self.dies_before = None

    @rule(large=st.booleans())
    def the_service_writes(self, large: bool) -> None:
        self.time += 1
        self.file = f"local {next(self.numbers)}".encode() + (b" is large" * 5 if large else b"")
        self.changed = self.time

    @rule()
    def the_service_writes_what_is_rejected(self) -> None:
        self.file = f"bad {next(self.numbers)}".encode()
        self.changed = self.time

    @rule()
    def the_service_removes_its_file(self) -> None:
        if self.file in self.cloud_had | self.kept:
            self.file = None

    @rule()
    def it_is_noticed(self) -> None:
        self.does(lambda: self.protocol.changed(self.facts, self.disk, self.now))

    @rule()
    def the_host_sets_the_state(self) -> None:
        state = f"set {next(self.numbers)}".encode()
        step = self.protocol.set(self.facts, state, self.disk, self.now)
        assert step is not None
        self.kept |= {one.state for one in step.keep}
        self.saved = self.facts = step.facts  # with what is to be sent before it is written
        self.does(lambda: self.protocol.opened(self.facts, self.disk, self.now))

    @rule()
    def the_service_starts(self) -> None:
        self.does(lambda: self.protocol.starting(self.facts, self.disk, self.now)[0])

    @rule()
    def the_host_is_killed(self) -> None:
        self.facts = self.saved
        self.does(lambda: self.protocol.opened(self.facts, self.disk, self.now))
        self.does(lambda: self.protocol.connected(self.facts, self.now))

    @rule(moment=st.sampled_from(["keep", "write", "save", "send"]))
    def it_will_be_killed(self, moment: str) -> None:
        self.dies_before = moment

    @rule()
    def time_passes(self) -> None:
        self.time += 1_000
        self.does(lambda: self.protocol.due(self.facts, self.now))

    # -- The network and the cloud -----------------------------------------------------------------------

    def judge(self, message: NewState) -> str:
        if message.state.startswith(b"bad"):
            return "bad"
        self.cloud_had.add(message.state)
        return ""

    def received(self, message: Any) -> None:
        if isinstance(message, StateAcceptance):
            self.does(lambda: self.protocol.answered(self.facts, message, self.now))
        else:
            self.cloud_had.add(message.state)
            self.does(lambda: self.protocol.updated(self.facts, message, self.disk, self.now))

    @rule(data=st.data(), keep=st.booleans())
    @precondition(lambda self: self.to_cloud)
    def the_cloud_receives(self, data: st.DataObject, keep: bool) -> None:
        at = data.draw(st.integers(0, len(self.to_cloud) - 1))
        message = self.to_cloud[at] if keep else self.to_cloud.pop(at)
        self.to_unit += self.cloud.received(message)

    @rule(data=st.data(), keep=st.booleans())
    @precondition(lambda self: self.to_unit)
    def the_unit_receives(self, data: st.DataObject, keep: bool) -> None:
        at = data.draw(st.integers(0, len(self.to_unit) - 1))
        self.received(self.to_unit[at] if keep else self.to_unit.pop(at))

    @rule()
    def everything_on_the_way_is_lost(self) -> None:
        self.to_cloud.clear()
        self.to_unit.clear()

    @rule()
    def the_cloud_pushes(self) -> None:
        self.to_unit.append(self.cloud.push(CLAIM, f"cloud {next(self.numbers)}".encode()))

    # -- The end -----------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "cloud"):
            return
        self.dies_before = None
        if self.file is not None and len(self.file) > self.facts.limit:
            self.file = b"small"
        for _ in range(12):  # a rejection and a conflict after one another, and some
            self.does(lambda: self.protocol.changed(self.facts, self.disk, self.now))
            self.does(lambda: self.protocol.connected(self.facts, self.now))
            self.to_cloud.append(self.facts.status())
            self.to_unit += self.cloud.unconfirmed()
            while self.to_cloud or self.to_unit:
                while self.to_cloud:
                    self.to_unit += self.cloud.received(self.to_cloud.pop(0))
                while self.to_unit:
                    self.received(self.to_unit.pop(0))
        state = self.cloud.state(CLAIM)
        if self.file is None:
            # Nobody has written anything; or the file was removed, and comes back when the service starts.
            assert self.facts.accepted is None
            assert self.facts.pending is None
            return
        assert (self.facts.pending, self.facts.asked) == (None, None)
        assert state == self.file
        assert self.facts.accepted == checksum_of(self.file)
        assert self.saved == durable(self.facts)


class PlainCloud(Cloud):
    """As AOS has it: without numbers, and with no correlation but that of an answer."""

    def received(self, message: Any) -> list[Any]:
        if isinstance(message, NewState):
            message = replace(message, sequence=0, base=10**18)
        return [self.plain(one) for one in super().received(message)]

    def push(self, claim: ClaimId, state: bytes) -> Any:
        return self.plain(super().push(claim, state))

    def unconfirmed(self) -> list[Any]:
        return [self.plain(one) for one in super().unconfirmed()]

    @staticmethod
    def plain(message: Any) -> Any:
        if isinstance(message, StateAcceptance):
            return replace(message, stamp=0, conflict=False)
        return replace(message, stamp=0, correlation="", changed=None)


class PlainSides(TwoSides):
    """With such a cloud, messages may be lost, but keep their order."""

    @initialize(rule=st.sampled_from(Rule))
    def begin(self, rule: Rule) -> None:
        super().begin(rule)
        self.cloud = PlainCloud(judge=self.judge, default=b"default", now=lambda: 1)

    @rule(data=st.data(), keep=st.booleans())
    @precondition(lambda self: self.to_cloud)
    def the_cloud_receives(self, data: st.DataObject, keep: bool) -> None:
        self.to_unit += self.cloud.received(self.to_cloud.pop(0))

    @rule(data=st.data(), keep=st.booleans())
    @precondition(lambda self: self.to_unit)
    def the_unit_receives(self, data: st.DataObject, keep: bool) -> None:
        self.received(self.to_unit.pop(0))


class TestPlainSides(PlainSides.TestCase):
    settings = settings(
        max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )


class TestTwoSides(TwoSides.TestCase):
    settings = settings(
        max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )


@pytest.mark.soak
class TestTwoSidesForLong(TwoSides.TestCase):
    settings = settings(
        max_examples=10_000, stateful_step_count=80, deadline=None, suppress_health_check=list(HealthCheck)
    )
