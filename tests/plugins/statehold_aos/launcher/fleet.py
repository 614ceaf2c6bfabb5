"""A launcher with real storages in a folder, images made by the test, and services that are shell scripts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from statehold.testing import open_storage
from statehold_aos import config, launcher_provider, service_state
from statehold_aos.database import Tables
from statehold_aos.gateway import ClaimId, Cloud, InProcess
from statehold_aos.launcher._launcher import Launcher
from statehold_aos.launcher._unit import Phase, Status
from statehold_aos.service_storage import provider as service_storage

ANN, BOB = '["ann"]', '["bob"]'
#: Stays, and says that it is there.
STAYS = 'echo here > "$AOS_STORAGE_FOLDER/here"; while :; do sleep 1000; done'
PATIENCE = 60.0


class RealClock:
    """The time, and more of it when a test says so."""

    def __init__(self) -> None:
        self.more = 0.0

    def now(self) -> float:
        return time.time() + self.more

    def monotonic(self) -> float:
        return time.monotonic()


def wait_for(seen: Callable[[], Any], what: str = "") -> Any:
    """Wait until something is so, and return it."""
    until = time.monotonic() + PATIENCE
    while not (found := seen()):
        assert time.monotonic() < until, what or seen
        time.sleep(0.01)
    return found


class Fleet:
    """One host after another over the same folder."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.options = {"HealthMilliseconds": 50, "SteadySeconds": 0, **options}
        self.state_options: dict[str, Any] = {"QuietMilliseconds": 20}
        self.storage_options: dict[str, Any] = {"Backend": "accounting"}
        self.clock = RealClock()
        self.cloud = Cloud()
        self.online = True
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> None:
        self.config = self._open(config, "config")
        below = {"Config": self.config.storage}
        self.storage = self._open(service_storage, "storage", config=self.storage_options)
        below["ServiceStorage"] = self.storage.storage
        self.state = self._open(service_state, "state", config=self.state_options, storages=below)
        below["ServiceState"] = self.state.storage
        self.gateway = InProcess(self.cloud)
        if self.online:
            self.state.storage.connect(self.gateway)
        self.services = self._open(
            launcher_provider,
            "launcher",
            config={"Images": str(self.folder / "images"), **self.options},
            storages=below,
        )

    def _open(self, provider: Any, name: str, **options: Any) -> Any:
        folder = self.folder / name
        folder.mkdir(exist_ok=True, parents=True)
        opened = open_storage(provider, data_folder=folder, clock=self.clock, **options)
        return self._stack.enter_context(opened)

    def end(self) -> None:
        self._stack.close()

    @property
    def launcher(self) -> Launcher:
        launcher: Launcher = self.services.storage.launcher
        return launcher

    @property
    def tables(self) -> Tables:
        return self.launcher._installed.tables(1)

    def image(self, name: str, version: int = 1, script: str = STAYS, **more: Any) -> Path:
        """Make an image whose service is a script for /bin/sh."""
        folder = self.folder / "images" / f"{name}-{version}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.sh").write_text(script)
        quotas = {"storageLimit": 1_000_000, "stateLimit": 1000, **more.pop("quotas", {})}
        made = {"version": version, "command": "/bin/sh", "args": ["/service/main.sh"], "quotas": quotas}
        (folder / "config.json").write_text(json.dumps({**made, **more}))
        return folder

    def install(self, name: str, version: int = 1, script: str = STAYS, **more: Any) -> Status:
        """Install a service for the users who are there, and wait until it runs."""
        self.launcher.install(1, name, self.image(name, version, script, **more))
        return self.runs(name, version)

    def runs(self, name: str, version: int = 1) -> Status:
        return self.sees(name, lambda one: (one.phase, one.version) == (Phase.RUNNING, version))

    def sees(self, name: str, seen: Callable[[Status], Any]) -> Status:
        """Wait until a service is so."""
        assert self.launcher.wait(lambda: bool(seen(self.status(name))), PATIENCE), self.status(name)
        return self.status(name)

    def status(self, name: str) -> Status:
        return next(one for one in self.launcher.status(1) if one.service == name)

    def gone(self, name: str) -> None:
        """Wait until a service is installed no more, and nothing is left to be removed."""
        done = lambda: not self.launcher._journal.notes.removals  # noqa: E731
        assert self.launcher.wait(done, PATIENCE)
        assert name not in [one.service for one in self.launcher.status(1)]

    def path(self, name: str, users: str = ANN) -> Path:
        """Return the storage folder of a claim."""
        storage = self.storage.storage
        folder: Path = storage.folder(storage.key(1, name, users))
        return folder

    def limit(self, name: str) -> int:
        """Return the limit of a service's storage."""
        row = self.storage.storage.get(self.storage.storage.key(1, name, ""))
        limit: int = row.StorageLimit
        return limit

    def logged(self, name: str) -> str:
        return "".join(each.read_text() for each in (self.folder / "launcher/log").glob(f"1-{name}-*"))


def claim(name: str, users: str = ANN) -> ClaimId:
    return ClaimId(1, name, users)


class Pid(NamedTuple):
    """A process; another one that gets its number later is another one."""

    number: int
    started: str


def known(pid: int | None) -> Pid:
    """Return the process that has a pid now."""
    assert pid is not None
    return Pid(pid, _stat(pid)[19])


def alive(pid: Pid) -> bool:
    """Whether a process is there, and no zombie that waits for somebody else."""
    try:
        found = _stat(pid.number)
    except OSError:
        return False
    return found[0] != "Z" and found[19] == pid.started


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def is_root() -> bool:
    return os.geteuid() == 0
