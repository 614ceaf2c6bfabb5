"""A TCP proxy on the loopback whose connections can be cut, and held up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Carries bytes between those who connect to `port` and another port."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.flowing = threading.Event()
        self.flowing.set()
        self.is_up = True
        self.lock = threading.Lock()
        self.sockets: list[socket.socket] = []
        self.count = 0
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            with self.lock:
                if not self.is_up:
                    near.close()
                    far.close()
                    continue
                self.sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    self.threads.append(threading.Thread(target=self.carry, args=(one, other), daemon=True))
                    self.threads[-1].start()

    def carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(65536):
                self.flowing.wait()
                other.sendall(piece)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self) -> int:
        """End all connections, and return how many there were."""
        with self.lock:
            cut = self.sockets[self.count :]
            self.count = len(self.sockets)
        for each in cut:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(cut) // 2

    def stop(self) -> None:
        """End all connections, and take none until `start`."""
        with self.lock:
            self.is_up = False
        self.cut()

    def start(self) -> None:
        with self.lock:
            self.is_up = True

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.flowing.set()
        self.stop()
        for thread in self.threads:
            thread.join(30)
        for each in self.sockets:
            each.close()


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    one = Proxy(target)
    try:
        yield one
    finally:
        one.close()
