from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import attrs

from statehold.sdk import StateholdError
from statehold_zdb.client import Client, Place, ReplyError, ZdbConnectionError
from statehold_zstor.backends import ValueMissingError, open_backend
from statehold_zstor.config import BackendConfig

#: The 0-dbs of each site.
SITES: Final[Mapping[str, Sequence[int]]] = {"Ghent": (1, 2, 3), "Vienna": (4, 5), "Cairo": (6, 7)}
PREFIX: Final = "demo"
_PATIENCE: Final = 60.0
_LONGEST: Final = 90
#: A server that ends with whoever started it, also where that is killed.
_SERVE: Final = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv.pop(1)):
    sys.exit("whoever started it has ended")
from statehold.cli import main
sys.exit(main())
"""


@attrs.define(eq=False)
class Store:
    """A 0-db: a process of its own with its files."""

    number: Final[int]
    site: Final[str]
    folder: Final[Path]
    _socket: Final[Path]
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    @property
    def name(self) -> str:
        """What it is called."""
        return f"0-db {self.number}"

    @property
    def is_up(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process."""
        return self._process.pid if self._process is not None else None

    def url(self, namespace: str) -> str:
        """Return where one of its namespaces is."""
        return f"zdb+unix://{quote(str(self._socket))}?namespace={namespace}"

    def start(self) -> None:
        """Start its process; `wait` says when it answers."""
        self.folder.mkdir(exist_ok=True)
        self._socket.unlink(missing_ok=True)
        serve = [sys.executable, "-c", _SERVE, str(os.getpid()), "zdb", "serve"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - of this package
                [*serve, "--data", "data", "--index", "index", "--socket", str(self._socket)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Wait until it answers; the first time, make its namespaces.

        Raises:
            StateholdError: it does not.

        """
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                client = Client(Place(socket=str(self._socket)))
                break
            except ZdbConnectionError as error:
                if not self.is_up or time.monotonic() > end:
                    said = (self.folder / "log").read_text(errors="replace")
                    raise StateholdError(f"{self.name} does not start: {said or error}") from error
                time.sleep(0.02)
        try:
            for namespace in (b"data", b"meta"):
                with contextlib.suppress(ReplyError):  # it has it already
                    client.call(b"NSNEW", namespace)
        finally:
            client.close()

    def kill(self) -> None:
        """End its process by SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End its process."""
        self._end(signal.SIGTERM)

    def damage(self) -> int:
        """Turn a bit in each shard that it has, as a bad disk might, and return how many these are."""
        backend = open_backend(BackendConfig(url=self.url("data")))
        try:
            count = 0
            for key in list(backend.keys(f"{PREFIX}/data/")):
                try:
                    value = bytearray(backend.get(key))
                except ValueMissingError:  # a repair has just put it elsewhere
                    continue
                value[len(value) // 2] ^= 0x10
                backend.put(key, value)
                count += 1
            return count
        finally:
            backend.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Stores:
    """All of them; their processes end with this."""

    def __init__(self, folder: Path) -> None:
        self._stack: Final = contextlib.ExitStack()
        sockets = folder
        if len(os.fsencode(folder)) > _LONGEST:  # more than the address of a socket may have
            short = self._stack.enter_context(TemporaryDirectory(prefix="statehold-demo-", dir="/tmp"))
            sockets = Path(short)
        self.all: Final = [
            Store(number, site, folder / f"zdb{number}", sockets / str(number))
            for site, numbers in SITES.items()
            for number in numbers
        ]
        self._stack.callback(self.stop)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start those that do not run, at once, and wait until all answer."""
        started = [store for store in self.all if not store.is_up]
        for store in started:
            store.start()
        for store in started:
            store.wait()

    def stop(self) -> None:
        """End all of them."""
        for store in self.all:
            store.stop()

    def of(self, site: str) -> list[Store]:
        """Return those of a site."""
        return [store for store in self.all if store.site == site]

    def config(self, *, key: str, meta_key: str) -> dict[str, Any]:
        """Return the configuration of a zstor on them: any 4 of 7 shards suffice, and any two sites."""
        return {
            "minimal_shards": 4,
            "expected_shards": len(self.all),
            "redundant_groups": 1,
            "timeout": 20,
            "encryption": {"key": key},
            # With a site lost, 4 are all that there are; a note is kept of what is missing.
            "acknowledge": {"minimum": 4, "metadata": 4},
            "groups": [{"backends": [{"url": one.url("data")} for one in self.of(site)]} for site in SITES],
            "meta": {
                "config": {
                    "prefix": PREFIX,
                    "minimal_shards": 1,
                    "encryption": {"key": meta_key},
                    "backends": [{"url": one.url("meta")} for one in self.all],
                }
            },
        }
