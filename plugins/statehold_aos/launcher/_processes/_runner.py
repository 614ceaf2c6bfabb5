from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import attrs


@attrs.frozen
class Bind:
    """A folder of the host that a service sees at another path."""

    source: Path
    target: str
    read_only: bool = False


@attrs.frozen(kw_only=True)
class Fallback:
    """What is said instead where nothing can be bound: the paths of the host."""

    command: Sequence[str]
    env: Mapping[str, str]
    folder: str


@attrs.frozen(kw_only=True)
class Spec:
    """A process to be started.

    Attributes:
        name: a word for it that no other process of the runner has.
        command: the program and its arguments.
        env: all of its environment.
        folder: where it works, as it sees it.
        uid: its user; None: the host's.
        gid: its group.
        binds: what it sees where.
        fallback: how it is started where nothing can be bound; None: it is not.
        tmp_bytes: the size of a /tmp of its own; 0: it has that of the host.
        ram_bytes: memory that it may have; 0 for no limit, as in all that follow.
        cpu_percent: of one core.
        processes: how many it may have.
        files: how many each of its processes may have open.

    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    folder: str
    uid: int | None = None
    gid: int | None = None
    binds: Sequence[Bind] = ()
    fallback: Fallback | None = None
    tmp_bytes: int = 0
    ram_bytes: int = 0
    cpu_percent: int = 0
    processes: int = 0
    files: int = 0


@attrs.frozen
class Started:
    """The program runs; *lacks* says what of its spec it had to do without."""

    lacks: Sequence[str] = ()


@attrs.frozen
class Failed:
    """It could not be started."""

    why: str


@attrs.frozen
class Ended:
    """It has ended, with all processes that it had started; a negative code is a signal."""

    code: int

    def __str__(self) -> str:
        return f"ended with code {self.code}" if self.code >= 0 else f"was ended by signal {-self.code}"


Event: TypeAlias = Started | Failed | Ended


class Process(Protocol):
    """A service at work; all of it belongs to the thread that looks after it."""

    @property
    def pid(self) -> int | None:
        """Its pid, for people; None where that is not known."""

    @property
    def output(self) -> int:
        """A descriptor from which what it writes is read, without waiting."""

    def fileno(self) -> int:
        """Return a descriptor that can be read when `events` has something to tell."""

    def events(self) -> Sequence[Event]:
        """Return what has happened since this was asked last; after `Failed` or `Ended`, nothing follows."""

    def stop(self) -> None:
        """Ask it to end; returns at once, as all that follow."""

    def kill(self) -> None:
        """End it, with all that it has started."""

    def close(self) -> None:
        """Give everything back; a process that is still there is killed."""


class Runner(Protocol):
    """A way to run services."""

    @property
    def name(self) -> str:
        """What people read."""

    def start(self, spec: Spec) -> Process:
        """Start a process; what becomes of it is told by its events.

        Raises:
            OSError: not even that can be tried.

        """

    def clean(self) -> Sequence[str]:
        """End what an earlier host has left, wait until it is gone, and say what there was."""

    def close(self) -> None:
        """Give everything back, once no process is left."""
