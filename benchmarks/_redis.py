from __future__ import annotations

import contextlib
import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs


def programs() -> bool:
    """Whether redis-server and redis-benchmark are there, installed if that is possible."""
    names = ("redis-server", "redis-benchmark")
    if not all(map(shutil.which, names)) and os.getuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "redis-server"]):
            subprocess.run(["apt-get", *command], env=environment, capture_output=True, check=False)
    return all(map(shutil.which, names))


@attrs.frozen
class Server:
    """A running server, and how redis-benchmark reaches it."""

    port: int
    socket: Path

    def seconds_per_call(
        self, command: str, *, unix: bool, size: int, clients: int, depth: int, calls: int, keys: int
    ) -> float:
        """Return the seconds of one call, as redis-benchmark measures them, from another processor."""
        where = ["-s", str(self.socket)] if unix else ["-p", str(self.port)]
        numbers = {"-d": size, "-c": clients, "-P": depth, "-n": calls, "-r": keys}
        options = [word for name, number in numbers.items() for word in (name, str(number))]
        done = subprocess.run(
            ["redis-benchmark", *where, *options, "-t", command, "--csv"],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=_on_the_last_processor,
        )
        return 1 / float(list(csv.reader(done.stdout.splitlines()))[-1][1])


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[Server]:
    """Run a redis-server with an append-only file, synced every second."""
    folder.mkdir()
    server = Server(_free_port(), folder.resolve() / "s")
    options = {
        "port": server.port,
        "unixsocket": server.socket,
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    with _running(["redis-server", *words], server):
        yield server


@contextlib.contextmanager
def zdb_server(folder: Path, *, durability: str = "relaxed:1") -> Iterator[Server]:
    """Run our server, which syncs every second, too, if it is not told otherwise."""
    folder.mkdir()
    server = Server(_free_port(), folder.resolve() / "s")
    command = [sys.executable, "-m", "statehold", "zdb", "serve", "--data", folder / "data"]
    command += ["--index", folder / "index", "--port", server.port, "--socket", server.socket, "--dualnet"]
    with _running([*map(str, command), "--durability", durability], server):
        yield server


@contextlib.contextmanager
def _running(command: list[str], server: Server) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        preexec_fn=_on_the_first_processor,  # noqa: PLW1509 - it only asks for a processor
    )
    try:
        end = time.monotonic() + 30
        while not server.socket.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} does not start")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _on_the_first_processor() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _on_the_last_processor() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
