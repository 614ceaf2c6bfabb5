from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs
import msgspec

from statehold.hosting import Host
from statehold.processing import SYSTEM, Request, Runtime
from statehold.sdk import StateholdError
from statehold_aos.database import users_text
from statehold_aos.demo._place import APP, own_mounts, unmount
from statehold_aos.gateway import ClaimId, CloudHub, Happened
from statehold_aos.gateway._cloud_server import CloudServer

UNIT: Final = "vehicle-7"


@attrs.frozen(kw_only=True)
class Seen:
    """A service as the demo shows it."""

    service: str
    version: int
    status: str
    users: str
    pid: int | None
    message: str
    here: str
    cloud: str
    sync: str
    used: int
    limit: int


class CloudSide:
    """A cloud on this machine, which the vehicle reaches over WebSocket, and may lose."""

    def __init__(self) -> None:
        self.happened: Final[deque[Happened]] = deque()
        self.hub: Final = CloudHub(told=self.happened.append)
        self._server: CloudServer | None = CloudServer(self.hub)
        self._port: Final = self._server.port
        self.url: Final = self._server.url

    @property
    def is_there(self) -> bool:
        """Whether it can be reached."""
        return self._server is not None

    def leave(self) -> None:
        """Be out of reach."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def come_back(self) -> None:
        """Be reached again, where it was."""
        if self._server is None:
            self._server = CloudServer(self.hub, port=self._port)

    def state(self, service: str, users: str) -> str:
        """Return the state that it has."""
        found = self.hub.cloud(UNIT).state(ClaimId(1, service, users))
        return "" if found is None else found.decode()


class Vehicle:
    """The host of the vehicle, with the application `aos.fleet`.

    To be made before there is any other thread: those that are there do not see what is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._quota: Final = "auto" if own_mounts() else "accounting"
        self.cloud: Final = CloudSide()
        self._lock: Final = threading.Lock()
        self._host: Host | None = None
        self._runtime: Runtime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self.cloud.leave()

    def deploy(self) -> None:
        """Deploy the application."""
        settings = {
            "STATEHOLD_PARAM_FLEET_FLEET_IMAGES": str(self._folder / "images"),
            "STATEHOLD_PARAM_FLEET_FLEET_STORAGES": str(self._folder / "storages"),
            "STATEHOLD_PARAM_FLEET_FLEET_QUOTA": self._quota,
            "STATEHOLD_PARAM_FLEET_FLEET_CLOUD": self.cloud.url,
        }
        host = self._host = Host(self._folder / "data", environ=settings)
        host.deploy(self._folder / APP)
        self._runtime = Runtime(host, jobs=False)

    def end(self) -> None:
        """End the host, and with it the services in their order."""
        with self._lock:
            runtime, self._runtime = self._runtime, None
            host, self._host = self._host, None
        if runtime is not None:
            runtime.close()
        if host is not None:
            host.close()
            unmount(self._folder)

    def command(self, name: str, args: dict[str, object]) -> None:
        """Run a command of the application as the system.

        Raises:
            StateholdError: it was refused, or could not be done at once.

        """
        if self._runtime is None:
            raise StateholdError("the vehicle is off")
        request = Request(app=APP, workspace=1, principal=SYSTEM)
        answer = self._runtime.command(request, f"fleet.{name}", args)
        if answer.problem:
            raise StateholdError(f"{name}: {answer.problem}")

    def turn(self, service: str, users: str, line: str) -> bool:
        """Turn a knob: write a line into a pipe in a service's storage; False where nobody listens yet."""
        with self._storages() as (storage, _, _):
            knob = storage.folder(storage.key(1, service, users)) / "knob"
        try:
            descriptor = os.open(knob, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)
        return True

    def look(self) -> list[Seen]:
        """Return how the services are; none where the vehicle is off."""
        with self._lock:
            if self._runtime is None:
                return []
            with self._storages() as (storage, state, launcher):
                return [self._see(storage, state, one) for one in launcher.status(1)]

    def quota(self) -> str:
        """Return who keeps the limits."""
        with self._storages() as (storage, _, _):
            return str(storage.backend.title)

    def log(self, service: str) -> str:
        """Return what a service has written."""
        files = sorted((self._folder / "data").rglob(f"log/1-{service}-*.log"))
        return "".join(each.read_text() for each in files)

    @staticmethod
    def _see(storage: Any, state: Any, one: Any) -> Seen:
        told: dict[str, Any] = {"here": "", "cloud": "", "sync": "", "used": 0, "limit": 0}
        if one.users:
            folder = storage.get(storage.key(1, one.service, one.users))
            if folder is not None:
                told |= {"used": folder.Used or 0, "limit": folder.Limit or 0}
            row = state.get(state.key(1, one.service, one.users))
            if row is not None:
                told |= {"here": _text(row.State), "sync": row.Status}
        return Seen(
            service=one.service,
            version=one.version,
            status=str(one.phase),
            users=one.users,
            pid=one.pid,
            message=one.message,
            **told,
        )

    @contextmanager
    def _storages(self) -> Iterator[tuple[Any, Any, Any]]:
        if self._host is None:
            raise StateholdError("the vehicle is off")
        with self._host.app(APP).borrow(0) as partition:
            launcher: Any = partition.storage("fleet.Launcher")
            yield (
                partition.storage("fleet.ServiceStorage"),
                partition.storage("fleet.ServiceState"),
                launcher.launcher,
            )


def users_of(*names: str) -> str:
    """Return people as a claim is written."""
    return users_text(names)


def _text(state: bytes | None) -> str:
    return "" if state is None else state.decode(errors="replace")


def names_of(users: str) -> str:
    """Return a claim as people read it."""
    return ", ".join(msgspec.json.decode(users, type=list[str])) if users else ""
