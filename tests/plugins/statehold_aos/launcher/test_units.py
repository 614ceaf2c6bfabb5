"""Units of systemd, as a small one runs them that the tests have: nobody waits for it."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet import PATIENCE, wait_for

from statehold_aos.launcher._processes import Ended, Event, Failed, Spec, Started, _systemd, _unit_process
from statehold_aos.launcher._processes import _systemctl as systemctl_module
from statehold_aos.launcher._processes._systemd import SystemdRunner

STAYS = "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done"


class SmallSystemd:
    """Starts and ends what units say, in the place of systemctl; while it is blocked, nothing happens."""

    def __init__(self, units: Path) -> None:
        self.units = units
        self.free = threading.Event()
        self.free.set()
        self.said: list[tuple[str, ...]] = []
        #: What is noted of an end, in place of how it was.
        self.note: str | None = None
        self.running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        assert self.free.wait(PATIENCE)
        self.said.append(words)
        unit = words[-1]
        match words:
            case ("start", _):
                return self.start(unit)
            case ("show", "--value", "--property=MainPID", _):
                return self.answer(out=str(self.running[unit][0].pid))
            case ("kill", signal, _) if unit in self.running:
                self.running[unit][0].send_signal(15 if signal == "--signal=SIGTERM" else 9)
            case ("stop", _) if unit in self.running:
                process, ending = self.running.pop(unit)
                process.kill()
                code = process.wait()
                note = f"exited {code}" if code >= 0 else "killed KILL"
                ending.write_text(note if self.note is None else self.note)
        return self.answer()

    def start(self, unit: str) -> subprocess.CompletedProcess[str]:
        text = (self.units / unit).read_text()
        settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        output = settings["StandardOutput"].removeprefix("file:")
        ending = Path(output.removesuffix(".output") + ".ended")
        if "broken" in text:
            return self.answer(code=1, err="it is broken")
        with open(output, "wb") as file:  # noqa: PTH123
            process = subprocess.Popen(shlex.split(settings["ExecStart"]), stdout=file, stderr=file)
        self.running[unit] = process, ending
        return self.answer()

    @staticmethod
    def answer(code: int = 0, out: str = "", err: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], code, out, err)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallSystemd]:
    small = SmallSystemd(tmp_path / "units")
    for module in (systemctl_module, _systemd, _unit_process):
        monkeypatch.setattr(module, "UNITS", small.units)
    for module in (systemctl_module, _unit_process):
        monkeypatch.setattr(module, "systemctl", small)
    yield small
    small.free.set()
    for process, _ in list(small.running.values()):
        process.kill()
        process.wait()


@pytest.fixture
def runner(systemd: SmallSystemd, tmp_path: Path) -> SystemdRunner:
    return SystemdRunner(tmp_path / "run")


def spec(script: str, name: str = "1/nav") -> Spec:
    return Spec(
        name=name, command=["/bin/sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, folder="/", binds=[]
    )


def told(process: Any) -> Event:
    """Return the next event of a process."""
    found: list[Event] = []
    wait_for(lambda: found.extend(process.events()) or found)
    (event,) = found
    return event


def wrote(process: Any, what: bytes) -> None:
    data = bytearray()

    def seen() -> bool:
        try:
            data.extend(os.read(process.output, 1000))
        except BlockingIOError:
            return False
        return what in data

    wait_for(seen)


def test_a_unit_is_started_writes_and_tells_how_it_ended(
    systemd: SmallSystemd, runner: SystemdRunner
) -> None:
    process = runner.start(spec(STAYS))
    assert told(process) == Started()
    assert process.pid == next(iter(systemd.running.values()))[0].pid
    wrote(process, b"up")
    process.stop()
    assert told(process) == Ended(3)
    process.close()
    runner.close()
    assert not list(systemd.units.iterdir())
    assert not list(runner.folder.iterdir())
    assert not process.thread.is_alive()


@pytest.mark.parametrize(
    ("note", "code"), [("", -9), ("exited", -9), ("killed RTMIN+1", -9), ("dumped ABRT", -6), ("exited 0", 0)]
)
def test_an_end_of_which_nothing_is_known_is_no_good_one(
    systemd: SmallSystemd, runner: SystemdRunner, note: str, code: int
) -> None:
    systemd.note = note
    process = runner.start(spec("exit 0"))
    events: list[Event] = []
    wait_for(lambda: events.extend(process.events()) or Ended(code) in events)
    process.close()
    runner.close()
    assert not list(runner.folder.iterdir())


def test_a_unit_whose_end_could_not_be_seen_is_stopped(
    systemd: SmallSystemd, runner: SystemdRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: _unit_process.UnitProcess) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(_unit_process.UnitProcess, "_end", refused)
    process = runner.start(spec(STAYS))
    event = told(process)
    assert isinstance(event, Failed)
    assert "too many open files" in event.why
    process.close()
    runner.close()
    assert systemd.running == {}


def test_nobody_waits_for_systemd(systemd: SmallSystemd, runner: SystemdRunner) -> None:
    """It is asked behind those who give orders, which each return at once."""
    systemd.free.clear()
    process = runner.start(spec(STAYS))
    process.stop()
    process.kill()
    assert process.events() == []
    process.close()
    again = runner.start(spec(STAYS))
    assert systemd.said == []
    systemd.free.set()
    assert told(again) == Started()
    unit = next(iter(systemd.running))
    kills = [one for one in systemd.said if one[0] == "kill"]
    assert kills == [("kill", f"--signal=SIG{name}", unit) for name in ("TERM", "KILL", "KILL")]
    starts = [one[0] for one in systemd.said if one[0] in ("start", "reset-failed")]
    assert starts == ["start", "reset-failed", "start"], "the second begins when the first is gone"
    assert process.events() == []
    again.close()
    runner.close()
    assert systemd.running == {}


def test_what_systemd_does_not_start_says_why(systemd: SmallSystemd, runner: SystemdRunner) -> None:
    process = runner.start(spec("", name="1/broken"))
    event = told(process)
    assert isinstance(event, Failed)
    assert "it is broken" in event.why
    process.stop()
    process.close()
    runner.close()
    assert not list(systemd.units.iterdir())


def test_where_no_unit_can_be_written_it_says_so(systemd: SmallSystemd, runner: SystemdRunner) -> None:
    systemd.units.write_text("in its way")
    process = runner.start(spec(STAYS))
    assert isinstance(told(process), Failed)
    process.close()
    runner.close()
    assert not [one for one in systemd.said if one[0] == "start"]


def test_what_a_killed_host_has_left_is_cleaned_up(systemd: SmallSystemd, runner: SystemdRunner) -> None:
    left = runner.start(spec(STAYS))
    assert told(left) == Started()
    (runner.folder / f"{runner.prefix}old.service.7.ended").touch()
    (unit,) = systemd.running
    assert SystemdRunner(runner.folder).clean() == [unit]
    assert systemd.running == {}
    assert not list(runner.folder.iterdir())
    assert runner.clean() == []
    left.close()
    runner.close()
