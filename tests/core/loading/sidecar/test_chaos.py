"""Random faults of one sidecar, while it and the other storages of the host are called."""

from __future__ import annotations

import os
import random
import signal
import statistics
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic

import attrs
import pytest
from wild_use import do

from statehold.loading.sidecar import Limits, SidecarError, Sidecars
from statehold.loading.sidecar.host import _breaker
from statehold.sdk import StateholdError
from statehold.testing import OpenStorage, open_storage
from statehold_sys.ephemeral import provider as ephemeral

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="the sandbox of a host that is not root has no /tmp"
)

DEADLINE = 0.5
WINDOW = 1.0
CALLERS = 3
GARBAGE = "try import os\nfor at in range(3, 64):\n  try: os.write(at, b'\\xff' * 99)\n  except OSError: pass"
FULL = """try import os
try:
    with open('/tmp/full', 'wb', buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
finally:
    os.unlink('/tmp/full')
"""


@attrs.define
class Storm:
    """Faults of one sidecar, and what its callers saw of them."""

    victim: OpenStorage
    rng: random.Random
    slowest: tuple[float, str] = (0.0, "")
    late: float = 0.0
    seen: Counter[str] = attrs.field(factory=Counter)
    wrong: list[str] = attrs.field(factory=list)
    faults: Counter[str] = attrs.field(factory=Counter)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def call(self, what: str, right: str | None, *, change: bool = False) -> bool:
        """Call the sidecar once; say whether it answered."""
        begun, answered = monotonic(), False
        try:
            if change:
                self.victim.insert(self.victim.key(1, What="x"), self.victim.value(Text=what))
                found = right
            else:
                found = do(self.victim, what)
            verdict = "answered" if found == right else f"wrong: {found!r} to {what!r}"
            answered = found == right
        except SidecarError as error:
            verdict = error.reason
        except (StateholdError, MemoryError) as error:
            verdict = type(error).__name__
        except Exception as error:
            verdict = f"wrong: {error!r} to {what!r}"
        took = monotonic() - begun
        with self._lock:
            self.slowest = max(self.slowest, (took, f"{verdict} to {what.splitlines()[0]!r}"))
            self.seen[verdict.partition(":")[0]] += 1
            if verdict.startswith("wrong"):
                self.wrong.append(verdict)
        return answered

    def fault(self) -> None:
        """Let one thing go wrong, and wait until the sidecar answers again."""
        kind = self.rng.choice(["kill", "stop", "slow", "garbage", "exit", "memory", "disk", "crash"])
        self.faults[kind] += 1
        if kind in ("kill", "stop"):
            number = signal.SIGKILL if kind == "kill" else signal.SIGSTOP
            with suppress(OSError):  # it has just ended
                signal.pidfd_send_signal(self.victim.storage.group.pidfd, number)  # type: ignore[attr-defined]
        elif kind == "disk":
            self.call(FULL, "OSError")
        elif kind == "memory":
            self.call(f"memory {512 << 20}", None)
        else:
            what = {"slow": "hang", "garbage": GARBAGE, "exit": "exit 3", "crash": "segv"}[kind]
            self.call(what, None, change=True)
        until = monotonic() + 30
        while not self.call("eval 6 * 7", "42"):
            assert monotonic() < until, "it never came back"


@contextmanager
def callers(storm: Storm) -> Iterator[None]:
    """Call the sidecar all the time, with little load."""
    done = threading.Event()

    def run() -> None:
        number = 0
        while not done.wait(0.005):
            number += 1
            storm.call(f"eval {number}", str(number), change=number % 7 == 0)

    def wait() -> None:
        # How late a thread comes that does nothing: what the machine itself takes from every caller.
        begun = monotonic()
        while not done.wait(0.05):
            storm.late = max(storm.late, monotonic() - begun - 0.05)
            begun = monotonic()

    threads = [threading.Thread(target=run) for _ in range(CALLERS)] + [threading.Thread(target=wait)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)


@pytest.fixture
def storm(wild_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storm]:
    # What the breaker does has tests of its own; here the sidecar is to come back each time.
    monkeypatch.setattr(_breaker, "_MOST", 1 << 30)
    monkeypatch.setattr(_breaker, "_LONGEST", 0.01)
    limits = Limits(deadline=DEADLINE, memory_mib=128)
    with (
        Sidecars(private=[tmp_path]) as sidecars,
        sidecars.load_file(wild_file, owner="acme.bills 1", limits=limits) as plugin,
        open_storage(plugin.providers["Wild"]) as victim,
    ):
        yield Storm(victim, random.Random(20_261_121))


@pytest.fixture
def others(shared: Sidecars, wild_file: Path) -> Iterator[Callable[[], object]]:
    """Calls two other storages of the host: one in its own process, one in another sidecar."""
    with ExitStack() as stack:
        own = stack.enter_context(open_storage(ephemeral, config=None))
        plugin = stack.enter_context(shared.load_file(wild_file, owner="acme.other 1"))
        apart = stack.enter_context(open_storage(plugin.providers["Wild"]))
        own_key, key = own.key(1, Name="a"), apart.key(1, What="b")
        own.insert(own_key, own.value(Data=b"x"))
        get, get_apart = own.facade.get, apart.facade.get

        def call() -> None:
            for _ in range(10):
                assert get(own_key) is not None
            assert get_apart(key) is None

        yield call


def rate(call: Callable[[], object], until: Callable[[], bool]) -> float:
    """Return the calls per second."""
    begun, count = monotonic(), 0
    while monotonic() - begun < WINDOW or not until():
        call()
        count += 1
    return count / (monotonic() - begun)


def test_a_few_random_faults_harm_nobody_else(storm: Storm, others: Callable[[], object]) -> None:
    with callers(storm):
        for _ in range(20):
            storm.fault()
            others()
    assert storm.wrong == []
    assert storm.slowest[0] < 30
    assert storm.seen["answered"] > 20


@pytest.mark.soak
def test_500_random_faults_end_every_call_in_time_and_slow_nobody_else(
    storm: Storm, others: Callable[[], object]
) -> None:
    ratios = []
    pause = threading.Event()

    def ten() -> None:
        for _ in range(10):
            storm.fault()
            pause.wait(0.15)

    begun = monotonic()
    with callers(storm):
        for _ in range(50):
            quiet = rate(others, lambda: True)
            faults = threading.Thread(target=ten)
            faults.start()
            ratios.append(rate(others, lambda: not faults.is_alive()) / quiet)  # noqa: B023 - used at once
            faults.join()
    took = monotonic() - begun - 50 * WINDOW
    print(f"\nfaults: {dict(storm.faults)} in {took:.0f} s; load of the machine: {os.getloadavg()[1]:.1f}")
    print(f"calls: {dict(storm.seen)}; the slowest: {storm.slowest}, deadline {DEADLINE} s")
    print(f"a thread that only waits came {storm.late:.3f} s late")
    print(f"other storages: {statistics.median(ratios):.3f} of their speed, {min(ratios):.3f} at worst")
    assert storm.wrong == []
    assert sum(storm.faults.values()) == 500
    assert storm.slowest[0] - storm.late <= DEADLINE + 0.1
    assert statistics.median(ratios) >= 0.9
