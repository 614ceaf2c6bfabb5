"""Storages in other places while versions change, processes are killed, and callers go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from statehold.loading.sidecar import SidecarError
from statehold.processing import SYSTEM, ProcessingError, Request

APART = {"isolation": "sidecar"}
SAMPLE = Path(__file__).parents[4] / "app_images" / "acme.meter"
METER = Request(app="acme.meter", workspace=1, principal=SYSTEM)


class Load:
    """Calls what it is given on some threads, and keeps what went wrong."""

    def __init__(self, *calls):
        self.failures = []
        self.done = 0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(call,)) for call in calls]

    def _run(self, call):
        while not self._ended.is_set():
            try:
                call()
            except Exception as error:
                self.failures.append(error)
            self.done += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def goes_on(self, calls=20):
        """Wait until some more calls have returned."""
        until, waiting = self.done + calls, threading.Event()
        for _ in range(3000):
            if self.done >= until:
                return
            waiting.wait(0.01)
        raise AssertionError(f"{self.done} calls returned, {until} were expected")


def meter(folder, version):
    root = Path(shutil.copytree(SAMPLE, folder / version / "acme.meter"))
    settings = {"meter.Meter": {"isolation": "wasm", "limits": {"memory_mib": 16}}}
    (root / "descriptor.json").write_text(json.dumps({"Version": version, "Storages": settings}))
    return root


def test_no_command_or_query_fails_while_versions_in_sidecars_are_swapped(host, runtime, den, put, show):
    images = [den(version, box=APART if number % 2 else None) for number, version in enumerate("123456")]
    host.deploy(images[0])
    put("a", "1")
    with Load(lambda: put("b", "2"), lambda: show("a"), lambda: show("b"), lambda: show("version")) as load:
        for image in images[1:]:
            load.goes_on()
            host.deploy(image, accept_breaking=True)
        load.goes_on()
        host.rollback("acme.den")
        load.goes_on()
    assert load.failures == []
    assert show("a") == "1"
    assert show("version") == "5"


def test_no_command_or_query_fails_while_modules_are_swapped(host, runtime, tmp_path):
    def take():
        runtime.command(METER, "meter.Take", {"Meter": "gas", "At": 1, "Reading": 2.0})

    def history():
        (row,) = runtime.query(METER, "meter.History", {"Meter": "gas"})
        assert row["Reading"] == 2.0

    host.deploy(meter(tmp_path, "1"))
    take()
    with Load(take, history, history) as load:
        for version in "2345":
            load.goes_on()
            host.deploy(meter(tmp_path, version))
        load.goes_on()
    assert load.failures == []
    history()


def pidfd(host):
    with host.app("acme.den").borrow() as partition:
        return partition.storage("den.Box").group.pidfd


def test_a_sidecar_that_is_killed_in_the_middle_is_back_before_a_query_has_noticed(host, den, show):
    host.deploy(den("1", box={**APART, "limits": {"deadline": 60}}))
    before = show("pid")
    with Load(*[lambda: show("version")] * 4) as load:
        load.goes_on()
        signal.pidfd_send_signal(pidfd(host), signal.SIGKILL)
        load.goes_on()
    assert load.failures == []
    assert show("pid") != before


def test_a_change_that_a_kill_has_lost_is_told_and_not_repeated(host, den, put, show):
    host.deploy(den("1", box=APART))
    signal.pidfd_send_signal(pidfd(host), signal.SIGSTOP)
    killer = threading.Timer(0.3, lambda: signal.pidfd_send_signal(pidfd(host), signal.SIGKILL))
    killer.start()
    try:
        with pytest.raises((ProcessingError, SidecarError)):
            put("a", "1")
    finally:
        killer.join()
    assert show("a") is None


def test_closing_the_host_in_the_middle_of_calls_ends_them_and_every_process(host, den, show, everything):
    before = children()
    host.deploy(den("1", box=APART))
    with Load(lambda: show("version")) as load:
        load.goes_on()
        assert children() - before
        host.close()
    assert children() <= before


def children():
    """Return the numbers of the processes that this one has started for sidecars."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if int(parent) == os.getpid() and state != "Z" and "python" in text:
            found.add(text.split()[0])
    return found
