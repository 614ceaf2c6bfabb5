"""Claims in real folders with a real database, on a clock that is turned by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from statehold.sdk import StorageLogger
from statehold.testing import FakeClock
from statehold_aos._state._batch import Change
from statehold_aos._state._facts import Rule
from statehold_aos._state._protocol import Protocol
from statehold_aos._state._settings import Settings
from statehold_aos._state._states import States
from statehold_aos._state._store import Store
from statehold_aos._state._watch import Quiet
from statehold_aos.database import Database
from statehold_aos.gateway import ClaimId, Cloud, InProcess, checksum_of

ANN = ClaimId(1, "nav", '["ann"]')


class Deaf(InProcess):
    """Loses all that is sent while it is deaf."""

    deaf = True

    def send(self, message: Any, *, more: bool = False) -> None:
        """Send a message, or lose it."""
        if not self.deaf:
            super().send(message)


@attrs.define
class Unit:
    """One host after another over the same folders."""

    folder: Path
    rule: Rule = Rule.CLOUD
    hold: bool = False
    clock: FakeClock = attrs.field(factory=FakeClock)
    cloud: Cloud = attrs.field(factory=Cloud)
    states: States = attrs.field(init=False)
    gateway: InProcess = attrs.field(init=False)
    _stack: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack)

    def path(self, claim: ClaimId = ANN) -> Path:
        folder = self.folder / claim.service / claim.users
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "state.dat"

    def start(self, *, online: bool = True, **settings: Any) -> States:
        database = self._stack.enter_context(Database.open(self.folder / "aos.db"))
        store = Store(database=database, home="test", versions=3, now=lambda: int(self.clock.now() * 1000))
        asked = {
            "protocol": Protocol(rule=self.rule),
            "quiet": Quiet(),
            "folder_of": lambda claim: self.path(claim).parent,
            "default_limit": 1000,
            "hold": self.hold,
        }
        self.states = States(
            name="test.ServiceState",
            store=store,
            settings=Settings(**{**asked, **settings}),
            clock=self.clock,
            logger=StorageLogger("test"),
        )
        self._stack.callback(self.states.close)
        if online:
            self.connect()
        return self.states

    def connect(self) -> None:
        self.gateway = InProcess(self.cloud)
        self.states.connect(self.gateway)
        self.settle()

    def settle(self) -> None:
        """Let everything happen that happens without time going by."""
        for _ in range(8):
            self.states.turn()

    def passes(self, seconds: float) -> None:
        self.settle()
        self.clock.advance(seconds)
        self.settle()

    def end(self) -> None:
        self._stack.close()

    def make(self, claim: ClaimId = ANN, state: bytes | None = None) -> None:
        self.states.change({claim: Change(state=state)})
        self.settle()

    def write(self, state: bytes, claim: ClaimId = ANN) -> None:
        """Write as a service does, and wait for the quiet time."""
        self.path(claim).write_bytes(state)
        self.passes(1.0)

    def agree(self, state: bytes, claim: ClaimId = ANN) -> None:
        found = self.states.look(claim)
        assert found is not None
        facts, disk = found
        assert (disk.state, self.cloud.state(claim)) == (state, state)
        assert (facts.accepted, facts.pending, facts.asked) == (checksum_of(state), None, None)

    def kept(self, claim: ClaimId = ANN) -> list[tuple[str, bytes]]:
        return [(one.kind, one.state) for one in self.states.kept(claim)]


@contextlib.contextmanager
def unit(folder: Path, **options: Any) -> Iterator[Unit]:
    one = Unit(folder, **options)
    one.start()
    try:
        yield one
    finally:
        one.end()
