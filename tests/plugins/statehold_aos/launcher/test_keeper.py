"""Which services are started, ended and started again, and in which order: on a clock turned by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from statehold.sdk import StorageError, StorageLogger
from statehold.testing import FakeClock
from statehold_aos.gateway import ClaimId
from statehold_aos.launcher._image import RunParameters, ServiceConfig
from statehold_aos.launcher._journal import ServiceId
from statehold_aos.launcher._keeper import Keeper
from statehold_aos.launcher._log import ServiceLog
from statehold_aos.launcher._processes import Ended, Event, Failed, Spec, Started
from statehold_aos.launcher._unit import Phase, Wanted, spec_of


class Process:
    """Does as it is told by the test."""

    pid = None

    def __init__(self, name: str, told: list[str]) -> None:
        self._name, self._told = name, told
        self._read, self.write = os.pipe()
        self.output, self._write = os.pipe()
        os.set_blocking(self.output, False)
        self.happened: list[Event] = [Started()]
        os.write(self.write, b"x")
        self.is_closed = False

    def fileno(self) -> int:
        return self._read

    def events(self) -> Sequence[Event]:
        os.read(self._read, 1) if self.happened else None
        happened, self.happened = self.happened, []
        return happened

    def happens(self, event: Event) -> None:
        self.happened.append(event)
        os.write(self.write, b"x")

    def stop(self) -> None:
        self._told.append(f"stop {self._name}")

    def kill(self) -> None:
        self._told.append(f"kill {self._name}")

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True
        for descriptor in (self._read, self.write, self.output, self._write):
            os.close(descriptor)


class Bench:
    """A keeper, and all that it has done."""

    name = "bench"

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.processes: dict[str, Process] = {}
        self.held: dict[str, Callable[[], None]] = {}
        self.hold: set[str] = set()
        self.broken: dict[str, str] = {}
        self.clock = FakeClock()
        self.taken_back: set[str] = set()
        self.folder = folder
        self.keeper = Keeper(self, self, self.clock, StorageLogger("test"), 1.0, self._log)

    def _log(self, service: ServiceId) -> ServiceLog:
        file = self.folder / service.service
        return ServiceLog(file, service.service, logger=StorageLogger("test"), size=10_000, count=1)

    # What runs them
    def start(self, spec: Spec) -> Process:
        name = spec.name.partition("/")[2]
        self.told.append(f"start {name}")
        process = self.processes[name] = Process(name, self.told)
        return process

    def clean(self) -> Sequence[str]:
        return []

    def close(self) -> None:
        self.told.append("closed")

    # Who listens
    def starting(self, wanted: Wanted, ready: Callable[[], None]) -> Spec | None:
        name = wanted.claim.service
        if name in self.broken:
            raise StorageError(self.broken[name])
        if name in self.hold:
            self.held[name] = ready
            return None
        return spec_of(wanted, None)

    def started(self, wanted: Wanted) -> None:
        raise StorageError("a listener's own error does not count")

    def healthy(self, wanted: Wanted) -> None:
        self.told.append(f"healthy {wanted.claim.service}")

    def stopped(self, wanted: Wanted) -> None:
        self.told.append(f"stopped {wanted.claim.service}")
        raise StorageError("a listener's own error does not count")

    def failed(self, wanted: Wanted, why: str) -> bool:
        return wanted.claim.service in self.taken_back

    def gave_up(self, wanted: Wanted, why: str) -> None:
        self.told.append(f"gave up {wanted.claim.service}")

    # What the test does
    def want(self, *names: str, users: str = "u", **options: Any) -> None:
        """Want services; `a:2` has the priority 2."""
        wanted = [self._wanted(*name.split(":"), users=users, **options) for name in names]
        self.keeper.wanted = {one.id: one for one in wanted}
        self.go()

    def _wanted(self, name: str, priority: str = "0", *, users: str, turn: int = 0, **options: Any) -> Wanted:
        config = ServiceConfig(version=1, command="x", priority=int(priority), **options)
        claim = ClaimId(1, name, users)
        return Wanted(claim=claim, place=Path("/"), config=config, uid=None, gid=None, turn=turn)

    def go(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        for _ in range(6):
            self.keeper.wait(0)
            self.keeper.turn()

    def end(self, *names: str, code: int = 0) -> None:
        for name in names:
            self.processes[name].happens(Ended(code))
        self.go()

    def phase(self, name: str) -> Phase:
        return self.keeper.units[ServiceId(1, name)].phase

    def took(self) -> list[str]:
        told = list(self.told)
        self.told.clear()
        return told


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.keeper.close()
    assert all(process.is_closed for process in bench.processes.values())


def test_services_start_by_priority_each_group_when_the_one_before_is_up(bench: Bench) -> None:
    bench.want("late:5", "a", "b", "early:-3")
    assert bench.took() == ["start early"]
    bench.go(1.0)
    assert bench.took() == ["healthy early", "start a", "start b"]
    bench.go(1.0)
    assert bench.took() == ["healthy a", "healthy b", "start late"]


def test_services_end_in_the_reverse_order_of_their_start(bench: Bench) -> None:
    bench.want("a", "b", "late:5")
    bench.go(1.0)
    bench.go(1.0)
    bench.took()
    bench.want()
    assert bench.took() == ["stop late"]
    bench.end("late")
    assert bench.took() == ["stopped late", "stop b", "stop a"]
    bench.end("a", "b")
    assert bench.keeper.is_idle
    assert bench.keeper.units == {}


def test_those_of_other_users_start_when_all_before_have_ended(bench: Bench) -> None:
    bench.want("a", "b")
    bench.took()
    bench.want("a", "c", users="others")
    assert bench.took() == ["stop b", "stop a"]
    bench.end("a")
    assert bench.took() == ["stopped a"]
    bench.end("b")
    assert bench.took() == ["stopped b", "start a", "start c"]


def test_a_service_that_does_not_end_is_killed_and_at_last_given_up(bench: Bench) -> None:
    bench.want("a", stop_seconds=3.0)
    bench.want()
    bench.took()
    bench.go(2.9)
    assert bench.took() == []
    bench.go(0.2)
    assert bench.took() == ["kill a"]
    bench.go(10.0)
    assert bench.took() == ["stopped a"]
    assert bench.keeper.is_idle


def test_one_that_fails_is_started_again_later_each_time_and_then_left_alone(bench: Bench) -> None:
    bench.want("a", run_parameters=RunParameters(start_burst=4, start_interval=60, restart_interval=1))
    for pause in (1.0, 2.0, 4.0):
        bench.end("a", code=3)
        assert bench.phase("a") is Phase.RESTARTING
        bench.took()
        bench.go(pause - 0.1)
        assert bench.took() == []
        bench.go(0.1)
        assert bench.took() == ["start a"]
    bench.end("a", code=3)
    assert bench.took() == ["stopped a", "gave up a"]
    unit = bench.keeper.units[ServiceId(1, "a")]
    assert (unit.phase, unit.restarts, unit.message) == (Phase.FAILED, 3, "ended with code 3")
    bench.want("a", turn=1)
    assert bench.took() == ["start a"]


def test_one_that_was_well_for_a_while_is_started_again_soon(bench: Bench) -> None:
    bench.want("a", run_parameters=RunParameters(start_burst=3, start_interval=10, restart_interval=1))
    for _ in range(10):
        bench.go(20.0)
        assert bench.phase("a") is Phase.RUNNING
        bench.end("a", code=-11)
        bench.took()
        bench.go(1.0)
        assert bench.took() == ["start a"]


@pytest.mark.parametrize(
    ("restart", "code", "phase"),
    [
        ("always", 0, Phase.RESTARTING),
        ("on-failure", 0, Phase.ENDED),
        ("on-failure", 1, Phase.RESTARTING),
        ("never", 0, Phase.ENDED),
        ("never", 1, Phase.FAILED),
    ],
)
def test_what_becomes_of_one_that_ends_is_as_its_image_says(
    bench: Bench, restart: str, code: int, phase: Phase
) -> None:
    bench.want("a", restart=restart)
    bench.end("a", code=code)
    assert bench.phase("a") is phase


def test_one_that_is_held_keeps_no_other_from_starting_and_starts_when_it_may(bench: Bench) -> None:
    bench.hold.add("a")
    bench.want("a", "late:5")
    assert bench.phase("a") is Phase.HELD
    assert bench.took() == ["start late"]
    bench.hold.clear()
    bench.held["a"]()
    bench.go()
    assert bench.took() == ["start a"]


def test_one_that_is_released_when_nobody_wants_it_any_more_is_not_started(bench: Bench) -> None:
    bench.hold.add("a")
    bench.want("a")
    bench.want()
    bench.held["a"]()
    bench.go()
    assert bench.took() == []


def test_one_that_is_released_after_the_end_writes_into_nobody_s_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.hold.add("a")
    bench.want("a")
    bench.keeper.close()
    assert bench.keeper._wake == -1
    bench.held["a"]()


@pytest.mark.parametrize("restart", ["always", "never"])
def test_one_whose_folder_cannot_be_used_harms_no_other_and_is_tried_again(
    bench: Bench, restart: str
) -> None:
    bench.broken["a"] = "its folder is damaged"
    bench.want("a", "b", "late:5", restart=restart)
    bench.go(1.0)
    assert bench.took() == ["start b", "healthy b", "start late"]
    assert bench.keeper.units[ServiceId(1, "a")].message == "its folder is damaged"
    bench.broken.clear()
    bench.go(2.0)
    assert "start a" in bench.took()


def test_a_program_that_is_not_there_is_a_failure_with_its_reason(bench: Bench) -> None:
    bench.want("a")
    bench.processes["a"].happens(Failed("x: no such file"))
    bench.go()
    assert bench.keeper.units[ServiceId(1, "a")].message.startswith("cannot be started: x: no such file")


def test_an_update_that_is_taken_back_is_not_started_again(bench: Bench) -> None:
    bench.taken_back.add("a")
    bench.want("a")
    bench.took()
    bench.keeper.wanted = {}
    bench.end("a", code=1)
    assert bench.took() == ["stopped a"]
    assert bench.keeper.units == {}


def test_in_a_hurry_all_are_killed_at_once(bench: Bench) -> None:
    bench.want("a", "late:5")
    bench.go(1.0)
    bench.took()
    bench.want()
    bench.keeper.hurry()
    assert bench.took() == ["stop late", "kill a", "kill late"]
