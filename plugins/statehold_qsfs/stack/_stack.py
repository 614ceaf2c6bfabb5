from __future__ import annotations

import contextlib
import errno
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from statehold.sdk import StateholdError
from statehold_qsfs.files import FileSystem, FileSystemOptions
from statehold_qsfs.protection import (
    BarrierError,
    FencedError,
    Figures,
    Protection,
    ProtectionOptions,
    Restored,
    ZstorStore,
    restore,
)
from statehold_qsfs.stack._config import Fsync, StackConfig
from statehold_qsfs.stack._errors import StackError
from statehold_zdb.engine import Durability, Engine, EngineOptions, ZdbError
from statehold_zstor.config import Config
from statehold_zstor.monitor import Monitor
from statehold_zstor.objects import Zstor

NAME: Final = "qsfs"
_META: Final = f"{NAME}-meta"
_COMPACT_AT: Final = 0.5
_COMPACT_EVERY: Final = 60.0
#: A change is flushed, and then sent, within this part of the window each; within twice that before, it is
#: taken from the kernel. The rest is for sending it.
_PART: Final = 5
_PAGES_EVERY: Final = 4.0

STEPS: Final = ("zstor", "0-db", "namespaces", "filesystem")


class Stack:
    """A filesystem with all it stands on: zstor, a 0-db that it protects, namespaces, files.

    Each part is tested before the next one starts. If one fails, those before it are stopped again.
    Stopped by `stop`, which waits until the backends have everything, or as a context manager, which does not
    wait where an error ends it.

    Args:
        config: what it is made of.
        logger: where it tells what an operator should know.
        told: is called with each step of `STEPS` once it has passed its test.

    Raises:
        StackError: a part failed.

    """

    def __init__(
        self,
        config: StackConfig,
        *,
        logger: logging.Logger | None = None,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.config: Final = config
        self._logger: Final = logger or logging.getLogger("statehold_qsfs")
        self._parts: contextlib.ExitStack | None = None
        with contextlib.ExitStack() as parts:
            with _step("zstor"):
                self.zstor: Final = parts.enter_context(opened_zstor(config))
                _test_zstor(self.zstor)
            told("zstor")
            with _step("0-db"):
                self.protection: Final = self._protect(parts)
                self.engine: Final = self._open_engine(parts)
                self.protection.start(self.engine)
            told("0-db")
            with _step("namespaces"):
                self._test_namespaces()
            told("namespaces")
            with _step("filesystem"):
                self.files: Final = self._open_files(parts)
                self.files.getattr("/")
                self._watch(parts)
            told("filesystem")
            self._left = self.figures()
            self._parts = parts.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        give_up = threading.Event()
        if kind is not None:
            give_up.set()
        self.stop(give_up=give_up)

    @property
    def pages_every(self) -> float:
        """The seconds after which a mount has to take from the kernel what programs have written."""
        return min(_PAGES_EVERY, 2 * self.config.durability.window / _PART)

    def figures(self) -> Figures:
        """Return how well what is here is protected."""
        return self.protection.figures()

    def stop(
        self, progress: Callable[[Figures], None] = lambda _: None, give_up: threading.Event | None = None
    ) -> Figures:
        """Stop all, the last part first, once the backends have everything; return what they lack.

        A second time does nothing.

        Args:
            progress: is called a few times a second with what still waits to be sent.
            give_up: when set, nothing is waited for; what still waits is sent after the next start.

        Raises:
            StackError: a part did not stop as it should; all were stopped.

        """
        parts, self._parts = self._parts, None
        if parts is None:
            return self._left
        problems: list[Exception] = []
        try:
            with parts:
                try:
                    self.files.close()
                except (StateholdError, OSError) as error:
                    problems.append(error)
                self._left = left = self.protection.drain(progress, give_up)
        except (StateholdError, OSError) as error:
            problems.append(error)
        if problems:
            raise StackError(f"not everything could be written: {problems[0]}", step="filesystem")
        return left

    # Inside

    def _protect(self, parts: contextlib.ExitStack) -> Protection:
        durability, local = self.config.durability, self.config.local
        protection = Protection(
            ZstorStore(self.zstor),
            local.folder,
            ProtectionOptions(
                window=durability.window,
                limit=local.limit,
                evict_last=frozenset({_META}),
                timeout=durability.timeout,
            ),
            self._logger,
            self._lock,
        )
        parts.callback(protection.close)
        return protection

    def _open_engine(self, parts: contextlib.ExitStack) -> Engine:
        folder = self.config.local.folder
        engine = Engine(
            folder / "data",
            folder / "index",
            options=EngineOptions(
                segment_size=self.config.local.segment,
                durability=Durability.parse("relaxed"),  # the filesystem syncs when it has to
                compact_at=_COMPACT_AT,
                compact_every=_COMPACT_EVERY,
            ),
            plugins=[self.protection.plugin],
            logger=self._logger,
        )
        parts.enter_context(engine)
        parts.callback(self.protection.close)  # its threads use the engine
        return engine

    def _test_namespaces(self) -> None:
        """See that all that is there can be written; the filesystem makes what it lacks."""
        for namespace in self.engine:
            namespace.sync()
            if namespace.settings.lock:
                raise StateholdError(f"the namespace {namespace.name} is locked", hint="NSSET unlocks it")

    def _open_files(self, parts: contextlib.ExitStack) -> FileSystem:
        durability = self.config.durability
        quorum = durability.fsync is Fsync.QUORUM
        options = FileSystemOptions(
            flush_every=min(3.0, durability.window / _PART), barrier=self._barrier if quorum else None
        )
        files = FileSystem(self.engine, name=NAME, options=options, logger=self._logger)
        parts.callback(files.close)
        return files

    def _watch(self, parts: contextlib.ExitStack) -> None:
        """Let lost redundancy come back by itself."""
        if self.config.durability.monitor:
            source = self.config.zstor if isinstance(self.config.zstor, Path) else None
            monitor = Monitor(self.zstor, source=source, logger=self._logger)
            parts.callback(monitor.stop)
            monitor.start()

    def _barrier(self) -> None:
        try:
            self.protection.barrier()
        except FencedError as error:
            raise OSError(errno.EROFS, error.message) from error
        except BarrierError as error:
            raise OSError(errno.EIO, error.message) from error

    def _lock(self, _: FencedError) -> None:
        """Let nothing be written any more that nobody would keep."""
        for namespace in self.engine:
            with contextlib.suppress(ZdbError):
                self.engine.configure(namespace.name, lock=True)


def restore_stack(
    config: StackConfig,
    *,
    everything: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Restored:
    """Make the folder of *config* what that of the machine was which wrote last; as `restore`."""
    with opened_zstor(config) as zstor:
        return restore(
            ZstorStore(zstor), config.local.folder, prefix=NAME, everything=everything, progress=progress
        )


def opened_zstor(config: StackConfig) -> Zstor:
    """Open the zstor that a filesystem stands on."""
    if isinstance(config.zstor, Path):
        return Zstor(config.zstor)
    return Zstor(Config.of(config.zstor, folder=config.folder, source="[zstor]"))


def _test_zstor(zstor: Zstor) -> None:
    """Store something, read it and delete it."""
    # Named as of a turn before all others: a kill before it is deleted leaves it to the next sweep.
    key, data = f"{NAME}/00000000-{secrets.token_hex(6)}/probe", secrets.token_bytes(64)
    zstor.store(key, data)
    try:
        if zstor.read(key) != data:
            raise StateholdError("what was stored is not what is read")
    finally:
        zstor.delete(key)


@contextlib.contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except (StateholdError, OSError) as error:
        message = error.message if isinstance(error, StateholdError) else str(error)
        hint = error.hint if isinstance(error, StateholdError) else ""
        raise StackError(f"{name} does not start: {message}", step=name, hint=hint) from error
