"""What the states of AOS services cost: durable updates over WebSocket, their delay, and idle claims."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks._disk import append_and_sync
from benchmarks._measure import Row, against, within
from statehold.sdk import StorageLogger
from statehold_aos._state._batch import Change
from statehold_aos._state._protocol import Protocol
from statehold_aos._state._settings import Settings
from statehold_aos._state._states import States
from statehold_aos._state._store import Store
from statehold_aos._state._watch import Quiet
from statehold_aos.database import Database
from statehold_aos.gateway import (
    ClaimId,
    Gateway,
    NewState,
    Options,
    StateAcceptance,
    ToCloud,
    ToUnit,
    Unit,
    open_gateway,
)

UPDATES = 320
IDLE = 10_000
SECONDS = 10.0
WEIGHED = 1_000
CLOUD = """
import sys
from pathlib import Path
from statehold_aos.gateway import CloudBook, CloudHub
from statehold_aos.gateway.websocket import CloudServer

server = CloudServer(CloudHub(book=CloudBook(Path(sys.argv[1]))))
print(server.url, flush=True)
sys.stdin.read()
server.close()
"""


class Clock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@attrs.define(eq=False)
class Watching:
    """A gateway that tells what goes through it, and the unit behind it."""

    inner: Gateway
    sent: Callable[[ToCloud], None]
    answered: Callable[[ToUnit], None]
    up: threading.Event = attrs.field(factory=threading.Event)
    unit: Unit | None = None

    def connect(self, unit: Unit) -> None:
        self.unit = unit
        self.inner.connect(self)

    def send(self, message: ToCloud, *, more: bool = False) -> None:
        self.inner.send(message, more=more)
        self.sent(message)

    def close(self) -> None:
        self.inner.close()

    def connected(self) -> None:
        assert self.unit is not None
        self.unit.connected()
        self.up.set()

    def disconnected(self) -> None:
        assert self.unit is not None
        self.unit.disconnected()

    def received(self, message: ToUnit) -> bool:
        assert self.unit is not None
        self.answered(message)
        return self.unit.received(message)


@contextmanager
def cloud(folder: Path) -> Iterator[str]:
    """Yield the URL of a cloud in a process of its own, which keeps its states durably."""
    with subprocess.Popen(
        [sys.executable, "-c", CLOUD, str(folder / "cloud.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def folder_of(folder: Path) -> Callable[[ClaimId], Path]:
    def found(claim: ClaimId) -> Path:
        path = folder / "folders" / claim.users
        path.mkdir(parents=True, exist_ok=True)
        return path

    return found


@contextmanager
def states(folder: Path, quiet: Quiet, claims: list[ClaimId]) -> Iterator[States]:
    """Yield states that nobody looks after yet."""
    with Database.open(folder / "aos.db") as database:
        store = Store(database=database, home="bench", versions=5, now=lambda: int(time.time() * 1000))
        settings = Settings(
            protocol=Protocol(first=60_000),
            quiet=quiet,
            folder_of=folder_of(folder),
            default_limit=65_536,
        )
        found = States(
            name="bench", store=store, settings=settings, clock=Clock(), logger=StorageLogger("bench")
        )
        try:
            for at in range(0, len(claims), 500):
                found.change({claim: Change() for claim in claims[at : at + 500]})
            yield found
        finally:
            found.close()


@contextmanager
def looked_after(found: States) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=found.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        found.wake()
        thread.join()


@attrs.define(eq=False)
class Services:
    """Services that change their states again as soon as the changes before are on their way."""

    files: dict[ClaimId, int]
    each: int = 0
    #: How many of each claim were written, and which state is its last one.
    written: dict[ClaimId, int] = attrs.field(factory=dict)
    answers: int = 0
    left: set[ClaimId] = attrs.field(factory=set)
    over: threading.Event = attrs.field(factory=threading.Event)
    round: int = 0

    def begin(self, each: int) -> None:
        self.round += 1
        self.each, self.answers = each, 0
        self.left = set(self.files)
        self.over.clear()
        for claim in self.files:
            self.written[claim] = 0
        for claim in self.files:
            self.write(claim)

    def write(self, claim: ClaimId) -> None:
        number = self.written[claim] = self.written[claim] + 1
        os.pwrite(self.files[claim], b"%04d %08d " % (self.round, number) + b"x" * 100, 0)

    def sent(self, message: ToCloud) -> None:
        if isinstance(message, NewState) and self.written.get(message.claim, self.each) < self.each:
            self.write(message.claim)

    def answered(self, message: ToUnit) -> None:
        if not isinstance(message, StateAcceptance):
            return
        assert message.accepted, message
        self.answers += 1
        if self.written.get(message.claim) == self.each:
            self.left.discard(message.claim)
            if not self.left:
                self.over.set()


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    # Not in /tmp, which may be memory: the figures are about the disk.
    for clients, bar in ((1, 0.8), (32, 4.0)):
        with tempfile.TemporaryDirectory(dir="build") as folder:
            yield _updates(Path(folder), clients=clients, bar=bar)
    with tempfile.TemporaryDirectory(dir="build") as folder:
        yield _delay(Path(folder))
    with tempfile.TemporaryDirectory(dir="build") as folder:
        yield from _idle(Path(folder))


def _updates(folder: Path, *, clients: int, bar: float) -> Row:
    claims = [ClaimId(1, "nav", f"user-{number}") for number in range(clients)]
    files = {
        claim: os.open(folder_of(folder)(claim) / "state.dat", os.O_RDWR | os.O_CREAT) for claim in claims
    }
    services = Services(files)
    each = UPDATES // clients if clients == 1 else UPDATES * 4 // clients

    def updates() -> float:
        """Return the seconds per state that the cloud has accepted, all of them durable on both sides."""
        start = time.perf_counter()
        services.begin(each)
        assert services.over.wait(300)
        return (time.perf_counter() - start) / services.answers

    with cloud(folder) as url, states(folder, Quiet(seconds=0, most=0), claims) as found:
        gateway = Watching(
            open_gateway(url, Options(system="bench")), sent=services.sent, answered=services.answered
        )
        with looked_after(found):
            found.connect(gateway)
            assert gateway.up.wait(60)
            for _ in range(2):  # until the log has its blocks
                updates()
            row = against(
                f"durable states per second over WebSocket, {clients} claim{'s' * (clients > 1)}",
                updates,
                lambda: append_and_sync(folder / "floor", times=UPDATES),
                limit_name="block at the end of a log and fdatasync",
                bar=bar,
                unit="us",
                sense=">=",
                rounds=9,
                rate=True,
            )
    for file in files.values():
        os.close(file)
    return row


def _delay(folder: Path) -> Row:
    claim = ClaimId(1, "nav", "ann")
    sent: dict[bytes, threading.Event] = {}
    number = 0

    def note(message: ToCloud) -> None:
        if isinstance(message, NewState) and message.state in sent:
            sent[message.state].set()

    def delay() -> float:
        """Return the seconds from the last write of a service until its state is on its way."""
        nonlocal number
        number += 1
        state = b"%d" % number
        sent[state] = threading.Event()
        file = folder_of(folder)(claim) / "state.dat"
        for part in (b"first", b"second", state):
            file.write_bytes(part)
        start = time.perf_counter()
        assert sent[state].wait(60)
        return time.perf_counter() - start

    with cloud(folder) as url, states(folder, Quiet(), [claim]) as found:
        gateway = Watching(open_gateway(url, Options(system="bench")), sent=note, answered=lambda _: None)
        with looked_after(found):
            found.connect(gateway)
            assert gateway.up.wait(60)
            return within(
                "from the last write of a service to its state on the way",
                delay,
                limit=1.3,
                unit="s",
                rounds=5,
            )


def _idle(folder: Path) -> Iterator[Row]:
    claims = [ClaimId(1, f"service-{number % 100}", f"user-{number}") for number in range(IDLE)]
    used: list[float] = []
    with states(folder, Quiet(), claims[:WEIGHED]) as found:
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        found.change({claim: Change() for claim in claims[WEIGHED : 2 * WEIGHED]})
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        for at in range(2 * WEIGHED, IDLE, 500):
            found.change({claim: Change() for claim in claims[at : at + 500]})
        found.turn()
        stop = threading.Event()

        def run() -> None:
            start = time.thread_time()
            found.run(stop)
            used.append(time.thread_time() - start)

        thread = threading.Thread(target=run)
        thread.start()
        stop.wait(SECONDS)
        stop.set()
        found.wake()
        thread.join()
    share = used[0] / SECONDS * 100
    yield Row(
        name="10,000 idle watched states",
        limit_name="1 % of a core",
        unit="%",
        measured=share,
        limit=1.0,
        ratio=share,
        bar=1.0,
    )
    size = (after - before) / WEIGHED / 1024
    yield Row(
        name="memory of an idle watched state",
        limit_name="2 KiB",
        unit="KiB",
        measured=size,
        limit=2.0,
        ratio=size / 2.0,
        bar=1.0,
    )
