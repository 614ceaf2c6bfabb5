"""A host that is killed at any point of a deploy comes back with exactly one current version per app."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys

import pytest

from statehold.sdk import Scope

APP = "acme.kitchen"
PARTITIONS = 3

# Imports everything once, then forks a host for each line that it reads. The host dies before the n-th call
# that reaches the disk, by a signal nobody can catch, before the n-th partition changes over, while a canary
# is tried, or by the kernel's alarm after some time.
HOSTS = """
import itertools, json, os, signal, sys, threading, traceback
from pathlib import Path
import dataset
from statehold.hosting import Canary, Host
from statehold.loading import installed
from statehold_vsql import compile_app

# What is imported at its first use: a host is killed at its own work, not while it imports.
installed().listing()
compile_app(installed().packages())

WRITES = {"execute", "executemany", "commit", "rollback", "close"}
DISK = {"open", "write", "pwrite", "fsync", "rename", "replace", "unlink", "remove", "mkdir", "fchmod"}

def end():
    os.kill(os.getpid(), signal.SIGKILL)

class Partitions(dict):
    def __init__(self, known, last):
        super().__init__(known)
        self.last = last
    def __setitem__(self, number, version):
        if number == self.last:
            end()
        super().__setitem__(number, version)

def on_canary(step):
    if step.stage == "canary":
        end()

def main(data, image, point=None, delay=None, partition=None, canary=None):
    reached = itertools.count(1)
    def profile(frame, event, function):
        if event != "c_call":
            return
        owner, name = getattr(function, "__self__", None), function.__name__
        if (getattr(owner, "__name__", "") == "posix" and name in DISK) or (
            type(owner).__module__ == "sqlite3" and name in WRITES
        ):
            if next(reached) == point:
                end()
    if delay is not None:
        signal.setitimer(signal.ITIMER_REAL, delay)
    threading.setprofile(profile)
    sys.setprofile(profile)
    with Host(Path(data), environ={}) as host:
        if partition is not None:
            app = host.running[0]
            app._in_partition = Partitions(app._in_partition, partition)
        tried = Canary(share=canary) if canary else None
        host.deploy(Path(image), canary=tried, progress=on_canary if canary else None)
        sys.setprofile(None)
        count = next(reached)
        os.write(1, json.dumps({"done": True, "calls": count}).encode() + b"\\n")

for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            main(**json.loads(line))
        except BaseException:
            os.write(1, json.dumps({"failed": traceback.format_exc()}).encode() + b"\\n")
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    os.write(1, json.dumps({"signal": os.WTERMSIG(status)}).encode() + b"\\n")
"""


class Killer:
    """Deploys in processes that are killed on the way, and checks what is there afterwards."""

    def __init__(self, hosts, folder, open_host, images):
        self.hosts, self.folder, self.open_host, self.images = hosts, folder, open_host, images
        self.before = None

    def deploy(self, version, **how):
        """Return what became of a deploy: `done` if it returned, `calls` how often it reached the disk."""
        request = {"data": str(self.folder), "image": str(self.images[version]), **how}
        self.hosts.stdin.write(json.dumps(request) + "\n")
        self.hosts.stdin.flush()
        answer = {}
        while "signal" not in answer:
            answer |= json.loads(self.hosts.stdout.readline())
        assert "failed" not in answer, answer["failed"]
        assert answer["signal"] or "done" in answer
        return answer

    def check(self, version, *, done):
        """Check that the version before or *version* is current and answers, and nothing else is left."""
        host = self.open_host()
        running = {status.app: status for status in host.apps()}
        current = running[APP].current if running else None
        assert current in ({version} if done else {self.before, version})
        assert host.warnings == ()
        if current is not None:
            for number in range(PARTITIONS):
                with host.app(APP).borrow(number) as partition:
                    found = partition.scoped("kitchen.Scada", Scope.QUERIES).find(1, Device="oven")
                    assert found.Reading == int(current) * 1000 + number
        host.close()
        kept = {entry.version for entry in running[APP].versions} if running else set()
        for folder in ("images", "storages"):
            files = list((self.folder / folder).iterdir())
            assert len(files) == len(kept), (folder, files, kept)
        for file in (self.folder / "storages").iterdir():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name.partition(".")[0]
        self.before = current


@pytest.fixture
def killer(tmp_path, open_host, kitchen):
    images = {version: kitchen(version, parts=PARTITIONS) for version in "123"}
    with subprocess.Popen(
        [sys.executable, "-c", HOSTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as hosts:
        yield Killer(hosts, tmp_path / "data", open_host, images)
        hosts.stdin.close()


def kill_at_points(killer, numbers):
    """Deploy versions in turn, each killed at a share of its way; return how many were killed."""
    killed = 0
    for version in "12":
        calls = killer.deploy(version)["calls"]
        killer.check(version, done=True)
    for number, share in enumerate(numbers):
        version = "123"[number % 3]
        answer = killer.deploy(version, point=1 + int(share * calls))
        killed += answer["signal"] == 9
        killer.check(version, done="done" in answer)
    return killed


def test_a_host_killed_during_its_first_deploy_comes_back_empty_or_deployed(killer):
    for point in (3, 30, 60):
        killer.deploy("1", point=point)
        killer.check("1", done=False)


def test_a_host_killed_during_a_deploy_comes_back_with_one_current_version(killer):
    assert kill_at_points(killer, [number / 12 for number in range(12)]) >= 8


def test_a_host_killed_between_two_partitions_comes_back_with_the_new_version_in_all(killer):
    killer.deploy("1")
    killer.check("1", done=True)
    for version, partition in (("2", 0), ("3", 1), ("1", 2)):
        assert killer.deploy(version, partition=partition)["signal"] == 9
        # It was registered before the first of them changed over.
        killer.check(version, done=True)


def test_a_host_killed_while_it_tries_a_canary_comes_back_with_the_version_before_in_all(killer):
    killer.deploy("1")
    killer.check("1", done=True)
    for share in (0.1, 0.7):
        assert killer.deploy("2", canary=share)["signal"] == 9
        killer.check("1", done=True)


@pytest.mark.soak
def test_a_host_killed_anywhere_200_times_comes_back_each_time(killer):
    shares = random.Random(2)
    assert kill_at_points(killer, [shares.random() for _ in range(100)]) >= 60
    for number in range(100):
        version = "123"[number % 3]
        answer = killer.deploy(version, delay=shares.uniform(0.005, 0.3))
        killer.check(version, done="done" in answer)
