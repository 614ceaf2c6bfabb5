"""A cloud behind a socket whose messages are lost, doubled and reordered, and a host that can be killed.

As a program it is the host: `lossy.py DATABASE FOLDER SOCKET`.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from statehold.sdk import StorageLogger
from statehold_aos._state._protocol import Protocol
from statehold_aos._state._settings import Settings
from statehold_aos._state._states import States
from statehold_aos._state._store import Store
from statehold_aos._state._watch import Quiet
from statehold_aos.database import Database
from statehold_aos.gateway import ClaimId, Cloud, NewState

GONE = (OSError, EOFError)


class RealClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class SocketGateway:
    """Connects again and again."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.connection: Connection[Any, Any] | None = None
        self.closed = threading.Event()

    def connect(self, unit: Any) -> None:
        self.thread = threading.Thread(target=self.run, args=(unit,), daemon=True)
        self.thread.start()

    def run(self, unit: Any) -> None:
        while not self.closed.is_set():
            try:
                self.connection = Client(self.address, family="AF_UNIX")
            except GONE:
                self.closed.wait(0.02)
                continue
            unit.connected()
            with suppress(*GONE):
                while True:
                    unit.received(self.connection.recv())
            unit.disconnected()

    def send(self, message: Any, *, more: bool = False) -> None:
        with suppress(*GONE):
            if self.connection is not None:
                self.connection.send(message)

    def close(self) -> None:
        self.closed.set()
        if self.connection is not None:
            self.connection.close()


class LossyCloud:
    """The cloud's side of the socket; `loss` of all messages are lost, as many doubled, as many held back."""

    def __init__(self, address: str, seed: int, loss: float) -> None:
        self.had: dict[ClaimId, set[bytes]] = defaultdict(set)
        self.cloud = Cloud(judge=self.judge)
        self.loss, self.random = loss, random.Random(seed)
        self.listener = Listener(address, family="AF_UNIX", backlog=16)
        self.lock = threading.Lock()
        self.connection: Connection[Any, Any] | None = None
        self.held: list[Any] = []
        self.closed = False
        threading.Thread(target=self.run, daemon=True).start()

    def judge(self, message: NewState) -> str:
        self.had[message.claim].add(message.state)
        return ""

    def run(self) -> None:
        while not self.closed:
            try:
                connection = self.listener.accept()
            except GONE:
                continue
            with self.lock:
                self.connection = connection
            with suppress(*GONE), connection:
                while not self.closed:
                    for message in self.on_the_way([connection.recv()]):
                        self.send(self.cloud.received(message))

    def on_the_way(self, messages: list[Any]) -> list[Any]:
        arriving = []
        for message in messages:
            lot = self.random.random()
            if lot < self.loss:
                continue
            if lot < 3 * self.loss and lot >= 2 * self.loss:
                self.held.append(message)
                continue
            arriving += [message] * (2 if lot < 2 * self.loss else 1)
        return arriving

    def send(self, messages: list[Any]) -> None:
        with self.lock, suppress(*GONE, AttributeError):
            late = self.late() if self.connection is not None else []
            for message in [*self.on_the_way(messages), *late]:
                self.connection.send(message)

    def late(self) -> list[Any]:
        """Return what was held back, some of it: for the unit, or an answer to what is for the cloud."""
        if not self.held or self.random.random() < 0.5:
            return []
        message = self.held.pop(self.random.randrange(len(self.held)))
        if hasattr(message, "stamp"):
            return [message]
        return self.cloud.received(message)

    def push(self, claim: ClaimId, state: bytes) -> None:
        self.had[claim].add(state)
        self.send([self.cloud.push(claim, state)])

    def remind(self) -> None:
        self.send(self.cloud.unconfirmed())

    def disconnect(self) -> bool:
        """End the connection; False where there is none."""
        with self.lock, suppress(*GONE):
            if self.connection is not None:
                # Closing it would not end a read that another thread is in.
                with socket.socket(fileno=os.dup(self.connection.fileno())) as ending:
                    ending.shutdown(socket.SHUT_RDWR)
                self.connection = None
                return True
        return False

    def states(self) -> int:
        """Return how many different states there have been."""
        return sum(map(len, list(self.had.values())))

    def close(self) -> None:
        self.closed = True
        self.disconnect()
        self.listener.close()


class Host:
    """The host as a process."""

    def __init__(self, database: Path, folder: Path, address: str) -> None:
        self.given = [sys.executable, __file__, str(database), str(folder), address]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.given)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def open_states(database: Database, folder: Path, clock: Any = None) -> States:
    def folder_of(claim: ClaimId) -> Path:
        path = folder / claim.service / claim.users
        path.mkdir(parents=True, exist_ok=True)
        return path

    store = Store(database=database, home="test", versions=100, now=lambda: int(time.time() * 1000))
    settings = Settings(
        protocol=Protocol(first=100, longest=2_000),
        quiet=Quiet(seconds=0.05, most=0.5),
        folder_of=folder_of,
        default_limit=1_000,
    )
    logger = StorageLogger("host")
    logger.disabled = True
    return States(name="states", store=store, settings=settings, clock=clock or RealClock(), logger=logger)


if __name__ == "__main__":
    with Database.open(sys.argv[1]) as opened:
        running = open_states(opened, Path(sys.argv[2]))
        running.connect(SocketGateway(sys.argv[3]))
        running.run(threading.Event())
