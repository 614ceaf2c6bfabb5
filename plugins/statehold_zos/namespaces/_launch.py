from __future__ import annotations

import os
import random
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import attrs

from statehold_zos.model import ZosError
from statehold_zos.namespaces._admin import Admin
from statehold_zos.namespaces._processes import end
from statehold_zos.namespaces._room import COMPACT_AT

HOST: Final = "127.0.0.1"
#: The shell ends at once, so that the server is nobody's child, and leaves nothing behind when it ends.
_DETACH: Final = ("/bin/sh", "-c", 'exec "$@" &', "sh")
_PAUSE: Final = 0.02
_TRIES: Final = 4
_LOWEST: Final = 10_000
_TAIL: Final = 600
_LOG: Final = 256 * 1024
#: What a path of a socket may have, with the zero at its end.
_MAX_PATH: Final = 107


@attrs.frozen(kw_only=True)
class Launch:
    """How a server is started.

    Attributes:
        socket: where it listens, beside its port.
        folder: where its data and indexes are.
        secret: of its administrators.
        segment: the bytes of a segment.
        binary: a 0-db to start; None for ours.
        limit: the seconds it may take until it answers.

    """

    socket: Path
    folder: Path
    secret: str = attrs.field(repr=False)
    segment: int
    binary: Path | None
    limit: float = 60.0

    def run(self, port: int) -> int:
        """Start it, and return its port once it answers: *port* if that can be had, else another.

        Raises:
            ZosError: it does not answer in time, or has ended; nothing of it runs.

        """
        if len(os.fsencode(self.socket)) > _MAX_PATH:
            raise ZosError(
                f"the path of a socket has at most {_MAX_PATH} bytes, {self.socket} has more",
                hint="Give the node a folder with a shorter path",
            )
        why = ""
        for _ in range(_TRIES):
            port = port if port and _is_free(port) else _free_port()
            alive = self._start(port)
            try:
                why = self._wait(alive)
            finally:
                os.close(alive)
            if not why:
                return port
            end(self.socket, patience=10)
            port = 0
        raise ZosError(f"the 0-db at {self.socket} does not start: {why}")

    def _start(self, port: int) -> int:
        """Start it, and return a pipe that ends when it does."""
        words: list[str | Path] = [
            *(self._ours() if self.binary is None else self._other(self.binary)),
            *("--data", self.folder / "data", "--index", self.folder / "index"),
            *("--listen", HOST, "--port", str(port), "--socket", self.socket, "--dualnet"),
            *("--protect", "--datasize", str(self.segment)),
        ]
        environment = {name: text for name, text in os.environ.items() if name != "ZDB_ADMIN"}
        if self.binary is None:
            environment["ZDB_ADMIN"] = self.secret
        log_path = self.socket.with_suffix(".log")
        if log_path.exists() and log_path.stat().st_size > _LOG:
            log_path.unlink()
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        alive, held = os.pipe()
        try:
            subprocess.run(  # noqa: S603 - the operator's own program, without a shell reading its words
                [*_DETACH, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
                check=True,
                pass_fds=[held],
            )
        except (OSError, subprocess.CalledProcessError) as error:
            os.close(alive)
            raise ZosError(f"cannot start the 0-db at {self.socket}: {type(error).__name__}") from None
        finally:
            os.close(log)
            os.close(held)
        return alive

    def _ours(self) -> list[str]:
        return [sys.executable, "-m", "statehold", "zdb", "serve", "--hide", "--compact", str(COMPACT_AT)]

    def _other(self, binary: Path) -> list[str]:
        # It takes the password in no other way.
        return [str(binary), "--admin", self.secret]

    def _wait(self, alive: int) -> str:
        """Return "" once the server answers, or why it does not."""
        until = time.monotonic() + self.limit
        poll = select.poll()
        poll.register(alive, select.POLLIN)
        while time.monotonic() < until:
            ended = bool(poll.poll(0))
            try:
                with Admin(self.socket, self.secret, limit=self.limit) as admin:
                    admin.ping()
                    return ""
            except ZosError as error:
                if ended:
                    return f"{self._tail() or error.message}"
            time.sleep(_PAUSE)
        return f"no answer in {self.limit:g} s"

    def _tail(self) -> str:
        try:
            text = self.socket.with_suffix(".log").read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return " ".join(text[-_TAIL:].split()).replace(self.secret, "***")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    """Return a port that is free, below those that the system gives to whoever connects."""
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii")
    highest = max(int(text.split()[0]), _LOWEST + 1000)
    while True:
        port = random.randrange(_LOWEST, highest)  # noqa: S311 - nothing is secret about it
        if _is_free(port):
            return port
