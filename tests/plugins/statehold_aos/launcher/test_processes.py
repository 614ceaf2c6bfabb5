"""Services as real processes: what they see, how they are limited, and that nothing is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet import PATIENCE, Pid, alive, is_root, known, wait_for

from statehold_aos.launcher._processes import Bind, Ended, Event, Failed, Fallback, Spec, Started
from statehold_aos.launcher._processes._cgroups import Cgroups
from statehold_aos.launcher._processes._child_runner import ChildProcess, ChildRunner
from statehold_aos.launcher._processes._choose import choose_runner
from statehold_aos.launcher._processes._systemd import SystemdRunner, why_no_systemd
from statehold_aos.launcher._processes._unit_process import unit_text

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
USER = 0x6FFF_0001


class Running:
    """A process, with all that it has told and written."""

    def __init__(self, process: ChildProcess) -> None:
        self.process = process
        self.told: list[Event] = list(process.events())
        self.wrote = b""

    def until(self, kind: type[Event] | None = None, *, wrote: str = "") -> Any:
        """Wait until it has told an event of a kind, and written something, and return the event."""
        poll = select.poll()
        poll.register(self.process.fileno(), select.POLLIN)
        poll.register(self.process.output, select.POLLIN)
        while True:
            found = [event for event in self.told if kind is None or isinstance(event, kind)]
            if (found or kind is None) and wrote.encode() in self.wrote:
                return found[0] if found else None
            ready = dict(poll.poll(PATIENCE * 1000))
            assert ready, (self.told, self.wrote)
            if self.process.output in ready:
                part = os.read(self.process.output, 65_536)
                self.wrote += part
                if not part:
                    poll.unregister(self.process.output)
            if self.process.fileno() in ready:
                self.told += self.process.events()
                if self.told and isinstance(self.told[-1], Failed | Ended):
                    poll.unregister(self.process.fileno())


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = ChildRunner(folder / "run")
        self.all: list[Running] = []

    def start(self, script: str, *, isolation: str = "available", **more: Any) -> Running:
        self.runner.isolation = isolation
        spec = Spec(
            name=f"1/{len(self.all)}",
            command=["/bin/sh", "-c", script],
            env={"PATH": _PATH},
            **{"folder": "/", **more},
        )
        self.all.append(Running(self.runner.start(spec)))
        return self.all[-1]

    def close(self) -> None:
        for running in self.all:
            running.process.close()
        self.runner.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def own_spaces(running: Running) -> None:
    """Skip the test where a process cannot have mounts and processes of its own."""
    event = running.until(Started)
    if event.lacks:
        pytest.skip(f"this machine does not permit it: {event.lacks}")


def test_it_tells_its_start_its_output_and_its_end(bench: Bench) -> None:
    running = bench.start("echo out; echo err >&2; exit 7")
    assert running.until(Ended, wrote="err") == Ended(7)
    assert b"out\n" in running.wrote
    assert isinstance(running.told[0], Started)
    assert running.process.events() == []


def test_a_program_that_is_not_there_fails_with_the_reason(bench: Bench) -> None:
    running = Running(bench.runner.start(Spec(name="x", command=["/no/such"], env={}, folder="/")))
    bench.all.append(running)
    assert "/no/such: [Errno 2]" in running.until(Failed).why


def test_long_arguments_arrive_and_ones_that_are_too_long_are_an_error_at_once(bench: Bench) -> None:
    """As long as they may be in an image, which has 64 KiB, and here twice."""
    long = "\u00e9" * 15_000
    command = ["/bin/sh", "-c", 'echo "${#1} ${#2}"', "x", long, long]
    fallback = Fallback(command=command, env={}, folder="/")
    spec = Spec(name="long", command=command, env={"LC_ALL": "C"}, folder="/", fallback=fallback)
    running = Running(bench.runner.start(spec))
    bench.all.append(running)
    running.until(Ended, wrote="30000 30000")
    with pytest.raises(OSError, match="command, arguments and variables cannot be handed over"):
        bench.runner.start(attrs.evolve(spec, command=["/bin/true", "x" * 8_000_000]))


def test_a_signal_reaches_it_and_its_end_is_told_as_one(bench: Bench) -> None:
    running = bench.start("echo up; while :; do sleep 1000; done")
    running.until(Started, wrote="up")
    running.process.stop()
    assert running.until(Ended) == Ended(-signal.SIGTERM)


def test_one_that_ignores_a_signal_is_killed_with_all_it_has_started(bench: Bench) -> None:
    script = """
    trap '' TERM
    (setsid sh -c 'trap "" TERM; echo > away; while :; do sleep 1000; done' &)
    while [ ! -e away ]; do sleep 0.01; done
    echo up; while :; do sleep 1000; done
    """
    bench.folder.chmod(0o755)
    running = bench.start(script, folder=str(bench.folder))
    running.until(Started, wrote="up")
    everybody = descendants(running)
    assert len(everybody) >= 4
    running.process.stop()
    assert not select.select([running.process], [], [], 0.2)[0]
    running.process.kill()
    assert running.until(Ended) == Ended(-signal.SIGKILL)
    assert not any(map(alive, everybody))


@pytest.mark.parametrize("isolation", ["available", "off"])
def test_when_it_ends_by_itself_what_it_has_started_ends_too(bench: Bench, isolation: str) -> None:
    bench.folder.chmod(0o755)
    script = """
    (setsid sh -c 'echo > away; while :; do sleep 1000; done' &)
    while [ ! -e away ]; do sleep 0.01; done
    echo up; read never < wait
    """
    os.mkfifo(bench.folder / "wait", 0o666)
    running = bench.start(script, folder=str(bench.folder), isolation=isolation)
    running.until(Started, wrote="up")
    everybody = descendants(running)
    assert len(everybody) >= 3
    with (bench.folder / "wait").open("w"):
        pass
    assert isinstance(running.until(Ended), Ended)
    wait_for(lambda: not any(map(alive, everybody)))


def test_one_that_is_closed_is_gone(bench: Bench) -> None:
    running = bench.start("echo up; while :; do sleep 1000; done")
    running.until(Started, wrote="up")
    everybody = descendants(running)
    running.process.close()
    running.process.close()
    assert not any(map(alive, everybody))


def test_where_who_looks_after_it_is_killed_the_service_ends_too(bench: Bench) -> None:
    running = bench.start("echo up; while :; do sleep 1000; done")
    own_spaces(running)
    running.until(wrote="up")
    everybody = descendants(running)
    signal.pidfd_send_signal(running.process._handle, signal.SIGKILL)
    assert running.until(Ended) == Ended(-signal.SIGKILL)
    assert not any(map(alive, everybody))


@pytest.mark.parametrize("isolation", ["available", "off"])
def test_nothing_is_left_when_the_host_is_killed(tmp_path: Path, isolation: str) -> None:
    """Not the service, nor what it has started, nor who looks after it."""
    command = [sys.executable, __file__, str(tmp_path), isolation]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout is not None
            everybody = [Pid(*each) for each in json.loads(host.stdout.readline())]
            assert len(everybody) >= 4
            assert sum(map(alive, everybody)) >= 4
        finally:
            host.kill()
    wait_for(lambda: not any(map(alive, everybody)))
    next_one = ChildRunner(tmp_path / "run")
    next_one.clean()
    next_one.close()


def test_a_next_host_waits_until_what_an_earlier_one_has_started_is_gone(bench: Bench) -> None:
    """Two must not work in one folder."""
    running = bench.start("echo up; while :; do sleep 1000; done")
    running.until(Started, wrote="up")
    second = Running(
        bench.runner.start(Spec(name="1/0", command=["/bin/sh", "-c", "echo 2"], env={}, folder="/"))
    )
    bench.all.append(second)
    assert not select.select([second.process.output], [], [], 0.2)[0]
    running.process.kill()
    running.until(Ended)
    assert second.until(Ended, wrote="2") == Ended(0)


def test_it_sees_no_other_processes_and_its_own_tmp(bench: Bench) -> None:
    running = bench.start("echo /proc/[0-9]*; ls -A /tmp; echo > /tmp/mine; echo end", tmp_bytes=65_536)
    own_spaces(running)
    running.until(Ended, wrote="end")
    assert running.wrote.splitlines() == [b"/proc/1 /proc/2", b"end"]


def test_what_it_is_shown_read_only_it_cannot_write(bench: Bench) -> None:
    source = bench.folder / "source"
    source.mkdir()
    source.chmod(0o777)
    binds = [Bind(source, "/statehold-one", read_only=True), Bind(source, "/opt/statehold-two/deep/three")]
    running = bench.start(
        "echo > /opt/statehold-two/deep/three/file; echo > /statehold-one/other; ls /statehold-one; echo end",
        binds=binds,
        isolation="required",
    )
    if isinstance(running.until(), Failed):
        pytest.skip("this machine does not permit it")
    running.until(Ended, wrote="end")
    assert b"Read-only" in running.wrote
    assert [each.name for each in source.iterdir()] == ["file"]
    assert not Path("/opt/statehold-two").exists()
    assert not Path("/statehold-one").exists()


def test_without_mounts_it_is_started_as_its_fallback_says(bench: Bench) -> None:
    fallback = Fallback(command=["/bin/sh", "-c", "echo $WHERE; pwd"], env={"WHERE": "there"}, folder="/usr")
    running = bench.start("echo never", fallback=fallback, isolation="off")
    running.until(Ended, wrote="/usr")
    assert running.wrote == b"there\n/usr\n"


def test_a_path_that_leads_through_a_link_is_told(bench: Bench) -> None:
    if not Path("/var/run").is_symlink():
        pytest.skip("/var/run is no link here")
    running = bench.start("exit", binds=[Bind(bench.folder, "/var/run/statehold-x")], isolation="required")
    event = running.until(Failed)
    assert "leads through a link, at /var/run" in event.why or "of its own" in event.why


def test_as_root_it_is_its_own_user_without_any_rights(bench: Bench) -> None:
    if not is_root():
        pytest.skip("only root may give a process another user")
    running = bench.start("id -u; id -g; id -G; grep -E 'CapEff|NoNewPrivs' /proc/self/status", uid=USER)
    running.until(Ended, wrote="NoNewPrivs")
    words = running.wrote.decode().split()
    assert words[:3] == [str(USER)] * 3
    assert words[3:] == ["CapEff:", "0" * 16, "NoNewPrivs:", "1"]


def test_files_that_it_may_have_open_are_limited(bench: Bench) -> None:
    running = bench.start("ulimit -n; ulimit -c", files=64)
    running.until(Ended, wrote="0")
    assert running.wrote == b"64\n0\n"


def test_memory_and_processes_are_limited_where_there_are_cgroups(bench: Bench) -> None:
    script = "grep -E 'memory|pids|^0:' /proc/self/cgroup; (while :; do :; done) & sleep 0.01 & (:) & wait"
    running = bench.start(script, ram_bytes=64 << 20, processes=2, cpu_percent=50)
    lacks = running.until(Started).lacks
    if lacks:
        pytest.skip(f"this machine does not permit it: {lacks}")
    running.until(wrote="statehold-aos")
    running.until(wrote="ork")  # "Cannot fork", as each shell says it
    running.process.kill()
    running.until(Ended)
    assert len(running.process._cgroups) >= 1
    assert not any(folder.exists() for folder in running.process._cgroups)


def test_one_that_takes_too_much_memory_is_ended_alone(bench: Bench) -> None:
    if shutil.which("tail", path=_PATH) is None:
        pytest.skip("there is no tail")
    running = bench.start("tail /dev/zero; echo ended $?", ram_bytes=48 << 20)
    lacks = running.until(Started).lacks
    if lacks:
        pytest.skip(f"this machine does not permit it: {lacks}")
    running.until(Ended, wrote="ended")
    assert b"ended 137" in running.wrote


def test_limits_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    spec = Spec(name="x", command=["x"], env={}, folder="/", ram_bytes=1, processes=1, cpu_percent=1)
    folders, lacks = Cgroups("x", root=tmp_path / "none").make(spec)
    assert folders == []
    assert [lack.split(" is not kept")[0] for lack in lacks] == [
        "its limit of memory",
        "its limit of cpu",
        "its limit of pids",
    ]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may pass."""
    with tempfile.TemporaryDirectory(prefix="statehold-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_somebody_without_rights_has_mounts_of_his_own_where_that_is_allowed(open_folder: Path) -> None:
    python = shutil.which("python3", path=_PATH)
    if not is_root() or python is None:
        pytest.skip("needs root to become somebody else, and a Python that he can use")
    source, run = open_folder / "source", open_folder / "run"
    for folder in (source, run):
        folder.mkdir()
        os.chown(folder, USER, USER)
    child = open_folder / "_child.py"
    shutil.copy(Path(sys.modules[ChildRunner.__module__].__file__ or "").with_name("_child.py"), child)
    child.chmod(0o644)
    done = subprocess.run(
        [python, "-I", "-S", "-c", AS_SOMEBODY, str(child), str(source), str(run)],
        user=USER,
        group=USER,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    if "lacks" in done.stdout and '"lacks": []' not in done.stdout:
        pytest.skip(f"this machine does not permit it: {done.stdout}")
    assert "mine" in done.stdout, done
    assert (source / "file").stat().st_uid == USER


#: What `ChildProcess` does, for a Python that has nothing of ours.
AS_SOMEBODY = """
import json, socket, subprocess, sys
child, source, run = sys.argv[1:]
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
words = [sys.executable, "-I", "-S", child, str(theirs.fileno())]
made = subprocess.Popen(words, pass_fds=[theirs.fileno()], cwd="/", start_new_session=True)
theirs.close()
ours.send(json.dumps({"isolation": "available", "lock": run + "/lock", "lacks": [], "cgroups": [],
  "command": ["/bin/sh", "-c", "echo mine; echo > /statehold-here/file"], "env": {}, "folder": "/",
  "fallback": None, "uid": None, "gid": None, "binds": [[source, "/statehold-here", False]],
  "tmp_bytes": 0, "files": 0}).encode())
while True:
    data = ours.recv(65536)
    print(data.decode(), flush=True)
    if b"ended" in data or b"failed" in data or not data:
        break
made.wait()
"""


def test_systemd_runs_it_as_a_unit(tmp_path: Path) -> None:
    why = why_no_systemd()
    if why:
        pytest.skip(why)
    runner: Any = choose_runner("systemd", tmp_path / "run")
    storage = tmp_path / "storage"
    storage.mkdir()
    os.chown(storage, USER, USER)
    script = (
        "id -u; echo $WHO; echo > /storage/file; trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"
    )
    spec = Spec(
        name="1/nav",
        command=["/bin/sh", "-c", script],
        env={"PATH": _PATH, "WHO": 'a "b" $c %d'},
        folder="/",
        uid=USER,
        binds=[Bind(storage, "/storage")],
        ram_bytes=64 << 20,
        processes=10,
    )
    running = Running(runner.start(spec))
    try:
        running.until(Started, wrote="up")
        assert running.wrote.decode().splitlines()[:2] == [str(USER), 'a "b" $c %d']
        assert (storage / "file").exists()
        assert alive(known(running.process.pid))
        running.process.stop()
        assert running.until(Ended) == Ended(3)
        running.process.close()
        left = Running(runner.start(spec))
        left.until(Started, wrote="up")
        pid = known(left.process.pid)
        assert len(runner.clean()) == 1
        assert not alive(pid)
        left.process.close()
        running = Running(runner.start(attrs.evolve(spec, command=["/no/such"])))
        assert running.until(Ended, wrote="/no/such cannot be started") == Ended(1)
    finally:
        running.process.close()
        assert runner.clean() == []


def test_a_unit_of_systemd_has_the_limits_and_tells_others_nothing() -> None:
    spec = Spec(
        name="1/nav",
        command=["/bin/run", "--fast"],
        env={"PASSWORD": "secret"},
        folder="/service",
        ram_bytes=1 << 20,
        cpu_percent=50,
        processes=7,
    )
    text = unit_text(spec, file=Path("/a b/50%/x"), output=Path("/50%/o"), ending=Path("/a b/$50%/e"))
    lines = text.splitlines()
    assert {
        "Type=exec",
        "MemoryMax=1048576",
        "CPUQuota=50%",
        "TasksMax=7",
        "StandardOutput=file:/50%%/o",
    } <= {*lines}
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert start.endswith('"/a b/50%%/x"')
    (note,) = [line for line in lines if line.startswith("ExecStopPost=")]
    assert note.endswith("""> '/a b/$$50%%/e'\"""")
    assert "secret" not in text
    assert SystemdRunner(Path("/x")).prefix != SystemdRunner(Path("/y")).prefix


def test_systemd_that_is_asked_for_and_not_there_is_an_error(tmp_path: Path) -> None:
    why = why_no_systemd()
    if not why:
        pytest.skip("systemd is there")
    with pytest.raises(OSError, match=why):
        choose_runner("systemd", tmp_path)
    assert choose_runner("auto", tmp_path).name == "supervised child"


def descendants(running: Running) -> list[Pid]:
    """Return the processes of a service, from the one that the host has started on."""
    found = [known(running.process._child.pid)]
    for pid in found:
        with contextlib.suppress(OSError):  # of one that ends in this moment
            for task in Path(f"/proc/{pid.number}/task").glob("*/children"):
                found += map(known, map(int, task.read_text().split()))
    return found


def main(folder: str, isolation: str) -> None:
    """Be a host that is killed."""
    bench = Bench(Path(folder))
    Path(folder).chmod(0o755)
    script = "(setsid sh -c 'while :; do sleep 1000; done' &); echo up; while :; do sleep 1000; done"
    running = bench.start(script, isolation=isolation)
    running.until(Started, wrote="up")
    wait_for(lambda: len(descendants(running)) >= 4)
    print(json.dumps(descendants(running)), flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
