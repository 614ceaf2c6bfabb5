"""A play in network namespaces of its own: backends vanish from the network and come back.

What is sent to a backend that is away is lost, without an answer, as when a cable is cut. Run as a program,
with a folder; ends with 77 where it may not make such a network.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SIGKILL = 9
MAY_NOT = 77
DATA = 7
METAS = 4
PORT = 9900
LIMIT = 90.0
BLOCK = 64 * 1024
KEY, META_KEY = "ab" * 32, "cd" * 32


class MayNotError(Exception):
    """This process may not make networks."""


def own_network() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise MayNotError(os.strerror(ctypes.get_errno()))


def run(*words: object) -> None:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, timeout=LIMIT)
    if done.returncode:
        raise MayNotError(f"{' '.join(map(str, words))}: {done.stderr}")


def address(number: int) -> str:
    return f"10.77.0.{number + 1}"


class Network:
    """The side of the backends: one process, with an address for each of them."""

    def __init__(self, folder: Path) -> None:
        ready, tell = os.pipe()
        go, start = os.pipe()
        parent = os.getpid()
        self.process = os.fork()
        if not self.process:
            try:
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
                if os.getppid() == parent:
                    own_network()
                    os.write(tell, b"1")
                    os.read(go, 1)
                    backends(folder, tell)
            finally:
                os._exit(1)
        os.close(tell)
        if not os.read(ready, 1):
            raise MayNotError("a network namespace in another one cannot be made")
        run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there")
        run("ip", "link", "set", "there", "netns", self.process)
        run("ip", "addr", "add", "10.77.0.254/24", "dev", "here")
        run("ip", "link", "set", "here", "up")
        self.inside("ip", "link", "set", "there", "up")
        self.inside("ip", "route", "add", "10.77.0.254/32", "dev", "there")
        for number in range(DATA):
            self.join(number)
        os.write(start, b"1")
        assert os.read(ready, 1) == b"2"

    def inside(self, *words: object) -> None:
        run("nsenter", f"--net=/proc/{self.process}/ns/net", *words)

    def cut(self, *numbers: int) -> None:
        for number in numbers:
            self.inside("ip", "addr", "del", f"{address(number)}/32", "dev", "there")

    def join(self, *numbers: int) -> None:
        for number in numbers:
            self.inside("ip", "addr", "add", f"{address(number)}/32", "dev", "there")

    @contextlib.contextmanager
    def without(self, *numbers: int) -> Iterator[None]:
        self.cut(*numbers)
        yield
        self.join(*numbers)

    def end(self) -> None:
        os.kill(self.process, SIGKILL)
        os.waitpid(self.process, 0)


def backends(folder: Path, tell: int) -> None:
    """Serve all backends until this process is ended."""
    from zdb_servers import serving

    from statehold_zdb.engine import Durability

    addresses = {"addresses": (("0.0.0.0", PORT),)}
    with serving(folder, durability=Durability.parse("relaxed"), server=addresses) as running:
        for number in range(DATA):
            running.engine.create(f"d{number}")
            running.engine.create(f"m{number}")
        os.write(tell, b"2")
        threading.Event().wait()


def config():
    from statehold_zstor.config import Config

    def backend(kind: str, number: int) -> dict[str, str]:
        return {"url": f"zdb://{address(number)}:{PORT}/{kind}{number}"}

    return Config.of(
        {
            "minimal_shards": 3,
            "expected_shards": 5,
            "timeout": 1.0,
            "block_size": BLOCK,
            "acknowledge": {"minimum": 4, "metadata": 3},
            "encryption": {"algorithm": "AES", "key": KEY},
            "meta": {
                "config": {
                    "encryption": {"algorithm": "AES", "key": META_KEY},
                    "backends": [backend("m", number) for number in range(METAS)],
                }
            },
            "groups": [{"backends": [backend("d", number) for number in range(DATA)]}],
            "monitor": {"health": 0.5, "repair": 1.0},
        },
        folder=Path("/"),
    )


class CutOnTheWay(io.BytesIO):
    """Bytes that are read; in their middle something happens."""

    def __init__(self, data: bytes, happens: Callable[[], None]) -> None:
        super().__init__(data)
        self._happens: Callable[[], None] | None = happens

    def read(self, size: int | None = -1, /) -> bytes:
        self._look()
        return super().read(size)

    def readinto(self, buffer, /) -> int:
        self._look()
        return super().readinto(buffer)

    def _look(self) -> None:
        if self._happens is not None and self.tell() > len(self.getvalue()) // 2:
            happens, self._happens = self._happens, None
            happens()


def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait until *holds* does; what cannot be asked meanwhile is asked again."""
    from statehold.sdk import StateholdError

    end = time.monotonic() + LIMIT
    problem: object = "nobody said why"
    while time.monotonic() < end:
        try:
            if holds():
                return
        except StateholdError as error:
            problem = error
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {LIMIT} s; {problem}")


def play(network: Network) -> None:
    from statehold.sdk import StateholdError
    from statehold_zstor.monitor import Monitor
    from statehold_zstor.objects import NotStoredError, Zstor

    draw = random.Random(5)
    stored: dict[str, bytes] = {}

    def data(blocks: float = 1.5) -> bytes:
        return draw.randbytes(int(blocks * BLOCK))

    def store(zstor: Zstor, key: str, body: bytes, happens: Callable[[], None] = lambda: None) -> None:
        def stores() -> bool:
            zstor.store(key, CutOnTheWay(body, happens))
            return True

        until(f"store {key}", stores)
        stored[key] = body

    def same(zstor: Zstor, key: str) -> bool:
        assert zstor.read(key) == stored[key], f"{key} has other bytes"
        return True

    def check(zstor: Zstor) -> None:
        for key in stored:
            until(f"read {key}", lambda key=key: same(zstor, key))

    with Zstor(config()) as zstor:
        store(zstor, "a", data())

        # One that has both shards and metadata is away while an object is stored, from its middle on.
        store(zstor, "b", data(8), lambda: network.cut(0))
        check(zstor)

        # And while a machine that knows nothing but the configuration restores all.
        with Zstor(config()) as restored:
            until("list", lambda: {info.key for info in restored.list()} == set(stored))
            check(restored)
        network.join(0)

        # Redundancy comes back by itself, also where another one goes away meanwhile.
        monitor = Monitor(zstor)
        monitor.start()
        try:
            with network.without(5):
                store(zstor, "c", data())
                check(zstor)
            until("repair", lambda: all(zstor.verify(key).whole for key in stored))
            until("metadata", lambda: all(zstor.check(key).missing == () for key in stored))
        finally:
            monitor.stop()

        # More are away than may be: an error, in time, and no wrong byte. What was there stays.
        with network.without(3, 4, 5, 6):
            for key in stored:
                with contextlib.suppress(StateholdError):
                    same(zstor, key)
            try:
                zstor.store("a", b"other")
            except NotStoredError:
                pass
            else:
                raise AssertionError("a store without enough backends was acknowledged")
        check(zstor)


def main(folder: Path) -> int:
    try:
        own_network()
        run("ip", "link", "set", "lo", "up")
        network = Network(folder)
    except (MayNotError, FileNotFoundError) as error:
        print(error)
        return MAY_NOT
    try:
        play(network)
    finally:
        network.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
