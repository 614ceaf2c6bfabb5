"""A real RabbitMQ, on the loopback alone, which all workers of a test run share."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from debian import need

_PROGRAMS = Path("/usr/lib/rabbitmq/bin")


def wait_for(happened: Callable[[], Any], what: str = "", limit: float = 60) -> Any:
    """Wait until something has happened, and return what it is."""
    end = time.monotonic() + limit
    while not (found := happened()):
        assert time.monotonic() < end, what or "it did not happen in time"
        time.sleep(0.02)
    return found


class RabbitServer:
    """The server, as far as tests can change it.

    Attributes:
        folder: where it has all that is its own; certificates, too.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.folder / "state.json").read_text())

    @property
    def port(self) -> int:
        return self.state["tcp"]

    @property
    def tls_port(self) -> int:
        return self.state["tls"]

    def url(self, user: str = "unit", password: str | None = None, port: int | None = None) -> str:
        secret = user if password is None else password
        return f"amqp://{user}:{secret}@127.0.0.1:{port or self.port}/"

    def control(self, *words: str) -> str:
        """Let the server's own program change it."""
        done = subprocess.run(
            [_PROGRAMS / "rabbitmqctl", "--quiet", *words],
            cwd=self.folder,
            env={
                **self.state["environment"],
                "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def kill(self) -> None:
        """End the server at once, as a loss of power does, and leave it so until `start`."""
        (self.folder / "stay-down").touch()
        pid = self.state["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}/exe").exists())

    def start(self) -> None:
        """Start it again, with what it had on the disk."""
        epoch = self.state["epoch"]
        (self.folder / "stay-down").unlink()
        wait_for(lambda: self.state["epoch"] > epoch, "RabbitMQ did not start again", 120)

    @contextlib.contextmanager
    def alarm(self) -> Iterator[None]:
        """Let the server take nothing, as when its disk is full."""
        what = "{{resource_limit, disk, node()}, []}"
        self.control("eval", f"rabbit_alarm:set_alarm({what}).")
        try:
            yield
        finally:
            self.control("eval", "rabbit_alarm:clear_alarm({resource_limit, disk, node()}).")


def _need() -> None:
    pytest.importorskip("pika", reason="pika is not installed: pip install 'statehold[aos]'")
    need("rabbitmq-server", "rabbitmq-server")
    if not (_PROGRAMS / "rabbitmqctl").exists():
        pytest.skip(f"there is a rabbitmq-server, but not that of Debian in {_PROGRAMS}")


@pytest.fixture(scope="session")
def rabbit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """Start the server, or take part in the one that another worker has started."""
    _need()
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "rabbit"
    with (shared / "rabbit.used").open("a") as used:
        with (shared / "rabbit.start").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            fcntl.flock(used, fcntl.LOCK_SH)  # waits for the end of one that nobody used any more
            if not folder.exists():
                folder.mkdir()
                given = [sys.executable, Path(__file__).with_name("rabbit_keeper.py"), folder, _PROGRAMS]
                with (shared / "rabbit.said").open("wb") as said:
                    run = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
                    subprocess.run(given, check=True, timeout=60, cwd=shared, **run)
            wait_for((folder / "state.json").exists, "nobody looks after RabbitMQ", 300)
        server = RabbitServer(folder)
        if "failed" in server.state:
            pytest.skip(f"RabbitMQ does not run here: {server.state['failed']}")
        yield server


@contextlib.contextmanager
def _used(server: RabbitServer, how: int) -> Iterator[RabbitServer]:
    with (server.folder.parent / "rabbit.alone").open("a") as lock:
        fcntl.flock(lock, how)
        yield server


@pytest.fixture
def rabbit(rabbit_server: RabbitServer) -> Iterator[RabbitServer]:
    """Use the server beside others, with names of one's own."""
    with _used(rabbit_server, fcntl.LOCK_SH) as server:
        yield server


@pytest.fixture
def rabbit_alone(rabbit_server: RabbitServer) -> Iterator[RabbitServer]:
    """Use the server alone, to do to it what others would feel."""
    with _used(rabbit_server, fcntl.LOCK_EX) as server:
        yield server
        if (server.folder / "stay-down").exists():  # the test has failed
            server.start()
