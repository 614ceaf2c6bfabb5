"""No sidecar outlives who started it, and what is waited for are the processes themselves, by descriptor."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from wild_use import do, stop

from statehold.loading.sidecar import Limits, SidecarError, Sidecars
from statehold.loading.sidecar.host._zygote import Forked, Zygote
from statehold.testing import OpenStorage, open_storage

Wild = Callable[..., OpenStorage]
PATIENCE = 30_000

HOST = """
import socket, sys, threading
from pathlib import Path
from statehold.loading.sidecar import Sidecars
from statehold.testing import open_storage

channel = socket.socket(fileno=int(sys.argv[1]))
sidecars = Sidecars(sandbox=sys.argv[3] == "sandboxed")
opened = []
for owner in ("acme.bills 1", "acme.bills 2"):
    plugin = sidecars.load_file(Path(sys.argv[2]), owner=owner)
    provider = plugin.providers["Wild"]
    opened.append(open_storage(provider).__enter__())
fds = [plugin._home.zygote().pidfd]
for one in opened:
    fds.append(one.storage.group.lanes.process._forked.pidfd)
if sys.argv[4] == "stopped":
    threading.Thread(target=lambda: opened[0].facade.get(opened[0].key(1, What="stop")), daemon=True).start()
socket.send_fds(channel, [b"x"], fds)
threading.Event().wait()
"""


def ended(pidfd: int) -> bool:
    """Wait for the end of a process."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(PATIENCE))


def received(channel: socket.socket, count: int) -> list[int]:
    channel.settimeout(PATIENCE / 1000)
    message, fds, *_ = socket.recv_fds(channel, 1, count)
    assert message
    assert len(fds) == count
    return fds


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("mode", ["sandboxed", "open"])
def test_no_sidecar_outlives_a_host_that_was_killed(wild_file: Path, mode: str, state: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        host = subprocess.Popen(
            [sys.executable, "-c", HOST, str(theirs.fileno()), str(wild_file), mode, state],
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        try:
            pidfds = received(ours, 3)
        finally:
            host.kill()
            host.wait()
    try:
        assert [ended(pidfd) for pidfd in pidfds] == [True, True, True]
    finally:
        for pidfd in pidfds:
            os.close(pidfd)


def pidfd_of(opened: OpenStorage) -> int:
    return os.dup(opened.storage.group.lanes.process._forked.pidfd)


def test_the_process_ends_when_its_plugin_is_freed(shared: Sidecars, wild_file: Path) -> None:
    plugin = shared.load_file(wild_file, owner="acme.bills 1")
    with open_storage(plugin.providers["Wild"]) as opened:
        pidfd = pidfd_of(opened)
    report = plugin.free()
    assert plugin.free() is report
    assert (report.problems, report.survivors, report.modules) == ((), (), ())
    try:
        assert ended(pidfd)
    finally:
        os.close(pidfd)


def test_all_ends_when_the_sidecars_of_a_host_are_closed(wild_file: Path) -> None:
    with Sidecars(sandbox=False) as sidecars:
        plugin = sidecars.load_file(wild_file, owner="acme.bills 1")
        with open_storage(plugin.providers["Wild"]) as opened:
            pidfd = pidfd_of(opened)
        plugin.free()
        sidecars.close()
        try:
            assert ended(pidfd)
        finally:
            os.close(pidfd)


def test_sidecars_come_back_when_the_process_that_forks_them_has_ended(wild_file: Path) -> None:
    with Sidecars(sandbox=False) as sidecars:
        plugin = sidecars.load_file(wild_file, owner="acme.bills 1", limits=Limits(deadline=60))
        with plugin, open_storage(plugin.providers["Wild"]) as opened:
            before = do(opened, "eval id(self)"), pidfd_of(opened)
            signal.pidfd_send_signal(plugin._home.zygote().pidfd, signal.SIGKILL)
            try:
                assert ended(before[1])
            finally:
                os.close(before[1])
            assert do(opened, "pid")
            opened.insert(opened.key(1, What="a"), opened.value(Text="after"))
            assert do(opened, "a") == "after"


def test_a_process_that_comes_too_late_is_ended(shared: Sidecars, wild_file: Path, monkeypatch) -> None:
    asked: list[Future[Forked]] = []
    fork = Zygote.fork

    def late(zygote: Zygote, job: object, fds: list[int]) -> Future[Forked]:
        asked.extend((Future(), fork(zygote, job, fds)))
        return asked[0]

    monkeypatch.setattr(Zygote, "fork", late)
    with pytest.raises(SidecarError, match="was not forked in time"):
        shared.load_file(wild_file, owner="acme.bills 1", limits=Limits(start=0.01))
    forked = asked[1].result(PATIENCE / 1000)
    kept = os.dup(forked.pidfd)
    asked[0].set_result(forked)
    try:
        assert ended(kept)
    finally:
        os.close(kept)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(forked.pidfd)


def test_a_process_that_is_killed_is_told_apart_from_one_that_ends(wild: Wild, records) -> None:
    opened = wild()
    pidfd = pidfd_of(opened)

    def kill() -> None:
        records.wait_for("at it")
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(SidecarError, match=r"SIGKILL \(Killed\)"):
        opened.insert(opened.key(1, What="a"), opened.value(Text="linger at it"))
    thread.join()
    os.close(pidfd)


def test_a_storage_whose_process_hangs_is_freed_in_hardly_more_than_the_time_of_a_call(
    shared: Sidecars, wild_file: Path
) -> None:
    with shared.load_file(wild_file, owner="acme.bills 1", limits=Limits(deadline=2)) as plugin:
        opened = contextlib.ExitStack()
        storage = opened.enter_context(open_storage(plugin.providers["Wild"])).storage
        pidfd = os.dup(storage.group.lanes.process._forked.pidfd)
        try:
            stop(pidfd)
            with pytest.raises(SidecarError, match=r"gave no answer within [12](\.\d+)? s"):
                opened.close()
            assert ended(pidfd)
        finally:
            os.close(pidfd)
