from __future__ import annotations

import contextlib
import errno
import fcntl
import hmac
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import pluggy

from statehold_zdb.engine._core import Closed, Core
from statehold_zdb.engine._cut import Cut
from statehold_zdb.engine._descriptors import Descriptors
from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._errors import ZdbError, ZdbHeldError, ZdbNameError, ZdbReadOnlyError
from statehold_zdb.engine._events import ZdbHooks
from statehold_zdb.engine._keeper import Keeper
from statehold_zdb.engine._namespace import Namespace
from statehold_zdb.engine._options import EngineOptions, Mode, Sync
from statehold_zdb.engine._seal import Seal
from statehold_zdb.engine._segment import Segment
from statehold_zdb.engine._settings import Settings, hashed, read_settings, write_settings

DEFAULT: Final = "default"
MAX_NAME: Final = 128
_LOCK: Final = ".lockfile"
_GONE: Final = ".deleted-"


class Engine:
    """A folder of data and a folder of indexes, with a namespace in each pair of folders below them.

    Closed with `close`, or as a context manager. One engine of one process at a time has a folder.

    Args:
        data: the folder of the data; made if need be.
        index: the folder of the index files and settings; another one than *data*, and perhaps another disk.
        options: how it works.
        plugins: what is told of its events (`ZdbHooks`).
        logger: where it tells what an operator should know.

    Raises:
        ZdbHeldError: another engine has one of the folders.
        ZdbError: the folders are the same, or cannot be used.

    """

    def __init__(
        self,
        data: Path,
        index: Path,
        *,
        options: EngineOptions | None = None,
        plugins: Sequence[object] = (),
        logger: logging.Logger | None = None,
    ) -> None:
        self.options: Final = options or EngineOptions()
        self.data, self.index = data.absolute(), index.absolute()
        if self.data == self.index:
            raise ZdbError(f"data and index are both {self.data}", hint="Give each a folder of its own")
        self.logger: Final = logger or logging.getLogger("statehold_zdb")
        self.hooks: Final[Any] = _hooks(plugins)
        self._hears = bool(plugins)
        self._descriptors = Descriptors()
        self._disk = self.options.disk or Disk()
        self._lock = threading.RLock()
        self._namespaces: dict[str, Namespace] = {}
        self._telling: ThreadPoolExecutor | None = None
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            for folder in (self.data, self.index):
                stack.callback(self._hold(folder))
            self._seal = Seal(self.index)
            self._open_all()
            stack.callback(self._abandon_all)
            if self._hears:
                self.hooks.zdb_ready()
            self._keeper = Keeper(self._keep)
            if not self.options.read_only:
                self._keeper.start(self._tick())
            stack.callback(self._keeper.stop)
            self._compactor = Keeper(self._compact)
            if self.options.compact_at and not self.options.read_only:
                self._compactor.start(self.options.compact_every)
            stack.callback(self._compactor.stop)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Namespace]:
        with self._lock:
            return iter(list(self._namespaces.values()))

    def __getitem__(self, name: str) -> Namespace:
        """Return the namespace of that name; ZdbNameError if there is none."""
        found = self._namespaces.get(name)
        if found is None:
            raise ZdbNameError(
                f"there is no namespace {name!r}; there are {', '.join(self.names())}", hint="Create it first"
            )
        return found

    def get(self, name: str) -> Namespace | None:
        """Return the namespace of that name, or None."""
        return self._namespaces.get(name)

    def names(self) -> list[str]:
        """Return the names of all namespaces, in the order in which they were opened or made."""
        with self._lock:
            return list(self._namespaces)

    def create(self, name: str, *, mode: Mode | None = None) -> Namespace:
        """Make a namespace, and return it.

        Raises:
            ZdbNameError: the name cannot be, or there is one.

        """
        check_name(name)
        with self._lock:
            self._check_writable()
            if name in self._namespaces:
                raise ZdbNameError(f"there is a namespace {name!r}")
            made = self._make(name, mode)
        self._tell(lambda: self.hooks.zdb_namespace_created(namespace=name))
        return made

    def delete(self, name: str) -> None:
        """Delete a namespace, and its files."""
        with self._lock:
            self._check_writable()
            namespace = self[name]
            if name == DEFAULT:
                raise ZdbNameError("the namespace default cannot be deleted")
            self._tell_removing(namespace, namespace.segments())
            del self._namespaces[name]
            namespace.abandon("it was deleted")
            mark = f"{_GONE}{secrets.token_hex(8)}"
            for folder in (self.index, self.data):
                with contextlib.suppress(FileNotFoundError):
                    (folder / name).rename(folder / mark)
                self._disk.sync_folder(folder)
        for folder in (self.index, self.data):
            shutil.rmtree(folder / mark, ignore_errors=True)
        self._tell(lambda: self.hooks.zdb_namespace_deleted(namespace=name))

    def configure(self, name: str, *, password: bytes | None = None, **changes: Any) -> Namespace:
        """Change what a namespace is told to be: any of the fields of `Settings`; on disk when it returns.

        An empty *password* takes it away. The mode can be changed as long as there are no records.
        """
        with self._lock:
            self._check_writable()
            namespace = self[name]
            if password is not None:
                changes["password"] = hashed(password) if password else ""
                changes["sealed"] = self._seal.close(name, password) if password else ""
            settings = msgspec.structs.replace(namespace.settings, **changes)
            if settings.mode is not namespace.settings.mode and self.options.mode is not None:
                raise ZdbError("all namespaces of this engine have one mode")
            namespace.take_settings(settings, lambda: write_settings(self.index / name, settings))
        self._keeper.tick(self._tick())
        self._tell(lambda: self.hooks.zdb_namespace_updated(namespace=name))
        return namespace

    def password(self, namespace: Namespace) -> bytes | None:
        """Return the password of *namespace*; None if it has none, or was brought from another folder."""
        sealed = namespace.settings.sealed
        return self._seal.open(namespace.name, sealed) if sealed else None

    def is_password(self, namespace: Namespace, given: bytes) -> bool:
        """Whether *given* is the password of *namespace*."""
        known = self.password(namespace)
        if known is None:
            return namespace.settings.matches(given)
        return hmac.compare_digest(sha256(known).digest(), sha256(given).digest())

    def reload(self, name: str) -> None:
        """Take the files of a namespace, and its settings, as they are now."""
        namespace = self[name]
        namespace.settings = read_settings(self.index / name) or namespace.settings
        namespace.reload()
        self._tell(lambda: self.hooks.zdb_namespace_reloaded(namespace=name))

    def cut(self) -> dict[str, Cut]:
        """Return what all namespaces have at this one moment.

        Files copied up to there are what a `kill -9` at that moment would have left.

        Raises:
            ZdbWriteError: the disk refused what had to be written first.

        """
        with self._lock, contextlib.ExitStack() as stack:
            namespaces = [self._namespaces[name] for name in sorted(self._namespaces)]
            for namespace in namespaces:
                stack.enter_context(namespace.held())
            return {namespace.name: namespace.cut() for namespace in namespaces}

    def close(self) -> None:
        """Close all namespaces, and tell of it; a second time does nothing."""
        with self._lock:
            stack, self._stack = self._stack, contextlib.ExitStack()
            open_ones = [namespace for namespace in self._namespaces.values() if not namespace.closed]
        with stack:
            self._finish_telling()
            if self._hears and open_ones:
                self.hooks.zdb_close()
            self._compactor.stop()
            self._keeper.stop()
            failed: list[ZdbError] = []
            for namespace in open_ones:
                figures, dirty = namespace.figures(), namespace.dirty()
                try:
                    namespace.close()
                except ZdbError as error:
                    failed.append(error)
                self._finish_telling()
                if self._hears:
                    self.hooks.zdb_namespace_closing(
                        namespace=namespace.name,
                        index=figures.active_index,
                        data=figures.active_data,
                        dirty=dirty,
                    )
        if failed:
            raise failed[0]

    # Inside

    def _hold(self, folder: Path) -> Callable[[], None]:
        """Have *folder* alone, and return what lets go of it."""
        read_only = self.options.read_only
        try:
            if not read_only:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(
                folder / _LOCK, os.O_CLOEXEC | (os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT), 0o600
            )
        except FileNotFoundError:
            if read_only and folder.is_dir():
                return lambda: None  # never written to by an engine that could have left a lock
            raise ZdbError(f"there is no folder {folder}") from None
        except OSError as error:
            hint = "Open it to read only" if error.errno in (errno.EROFS, errno.EACCES) else ""
            raise ZdbError(f"cannot use {folder}: {error}", hint=hint) from error
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if read_only else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise ZdbHeldError(
                f"{folder} is held by another engine", hint="Stop that one first, or use another folder"
            ) from error
        return lambda: os.close(fd)

    def _open_all(self) -> None:
        if self._hears:
            self.hooks.zdb_namespaces_init(index=str(self.index), data=str(self.data))
        try:
            for folder in sorted(self.index.iterdir()):
                if folder.name.startswith(_GONE) and not self.options.read_only:
                    shutil.rmtree(folder, ignore_errors=True)
                    shutil.rmtree(self.data / folder.name, ignore_errors=True)
                elif folder.is_dir() and not folder.name.startswith("."):
                    settings = read_settings(folder)
                    if settings is not None:
                        self._namespaces[folder.name] = self._opened(settings)
                    else:
                        self._drop_unfinished(folder)
            if DEFAULT not in self._namespaces and not self.options.read_only:
                self._make(DEFAULT, None)
        except BaseException:
            self._abandon_all()
            raise

    def _drop_unfinished(self, folder: Path) -> None:
        """Remove what is left of a namespace that was not made to its end."""
        if self.options.read_only or any((self.data / folder.name).glob("d*")):
            raise ZdbError(
                f"{folder} has no settings, and there are data", hint="Bring them back from a copy"
            )
        shutil.rmtree(folder, ignore_errors=True)

    def _make(self, name: str, mode: Mode | None) -> Namespace:
        settings = Settings(
            name=name,
            mode=mode or self.options.mode or Mode.USER,
            seed=secrets.randbits(32),
            maxsize=self.options.default_maxsize if name == DEFAULT else 0,
        )
        try:
            (self.data / name).mkdir(mode=0o700, exist_ok=True)
            (self.index / name).mkdir(mode=0o700, exist_ok=True)
            write_settings(self.index / name, settings)
            for folder in (self.data, self.index):
                self._disk.sync_folder(folder)
        except OSError as error:
            raise ZdbError(f"cannot make the namespace {name!r}: {error}") from error
        made = self._namespaces[name] = self._opened(settings)
        return made

    def _opened(self, settings: Settings) -> Namespace:
        name = settings.name
        if self.options.mode not in (None, settings.mode):
            raise ZdbError(
                f"namespace {name!r} has mode {settings.mode}, and all are to have {self.options.mode}",
                hint="Open the engine without a mode",
            )
        if not self.options.read_only:
            (self.data / name).mkdir(mode=0o700, exist_ok=True)
        return Namespace(
            settings=settings,
            options=self.options,
            data=self.data / name,
            index=self.index / name,
            disk=self._disk,
            descriptors=self._descriptors,
            now=self.options.clock or time.time,
            say=lambda text: self.logger.warning("%s: %s", name, text),
            on_missing=self._ask_for,
            on_missing_range=self._ask_for_range,
            on_removing=self._tell_removing,
            on_closed=self._tell_closed,
        )

    def _check_writable(self) -> None:
        if self.options.read_only:
            raise ZdbReadOnlyError("the engine was opened to read only")

    def _abandon_all(self) -> None:
        for namespace in self._namespaces.values():
            if not namespace.closed:
                namespace.abandon("its engine was closed")
        self._finish_telling()

    def _tick(self) -> float:
        intervals = [n.durability.interval for n in self if n.durability.sync is Sync.RELAXED]
        return min(1.0, *(interval / 4 for interval in intervals)) if intervals else 1.0

    def _keep(self) -> None:
        self._descriptors.forget_deleted()
        for namespace in self:
            try:
                namespace.keep()
            except ZdbError as error:
                self.logger.error("%s: %s", namespace.name, error)  # noqa: TRY400 - the error says it

    def _compact(self) -> None:
        for namespace in self:
            try:
                namespace.compact_if_changed(self.options.compact_at)
            except ZdbError as error:
                self.logger.warning("%s: is not compacted: %s", namespace.name, error)

    def _ask_for(self, namespace: Core, segment: Segment) -> bool:
        if Path(segment.path).exists():
            return True  # it came between the read and the question
        try:
            brought = self.hooks.zdb_missing_data(namespace=namespace.name, path=segment.path)
        except Exception:
            self.logger.exception("%s: the hook missing-data failed for %s", namespace.name, segment.path)
            return False
        return bool(brought) and Path(segment.path).exists()

    def _ask_for_range(self, namespace: Core, segment: Segment, offset: int, size: int) -> bytes | None:
        if not self._hears:
            return None
        try:
            found: bytes | None = self.hooks.zdb_missing_range(
                namespace=namespace.name, path=segment.path, offset=offset, size=size
            )
        except ZdbError:
            raise
        except Exception:
            self.logger.exception("%s: the hook missing-range failed for %s", namespace.name, segment.path)
            return None
        return found

    def _tell_removing(self, namespace: Core, segments: Sequence[Segment]) -> None:
        if self._hears:
            self.hooks.zdb_removing(
                namespace=namespace.name, segments=[segment.number for segment in segments]
            )

    def _tell_closed(self, namespace: Core, closed: Closed) -> None:
        name = namespace.name

        def tell() -> None:
            answers = self.hooks.zdb_jump_index(
                namespace=name, old=closed.old.index_path, new=closed.new.index_path, dirty=closed.dirty
            )
            found = self.get(name)
            if any(answers) and found is not None:
                for segment in found.segments():
                    if segment.number in closed.dirty:
                        segment.dirty = False
            self.hooks.zdb_jump_data(namespace=name, old=closed.old.path, new=closed.new.path)

        self._tell(tell)

    def _tell(self, event: Callable[[], object]) -> None:
        """Call hooks, one after another, on a thread that nobody waits for."""
        if not self._hears:
            return
        with self._lock:
            if self._telling is None:
                self._telling = ThreadPoolExecutor(1, thread_name_prefix="zdb-hooks")
            telling = self._telling

        def tell() -> None:
            try:
                event()
            except Exception:
                self.logger.exception("a hook failed")

        telling.submit(tell)

    def _finish_telling(self) -> None:
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.shutdown()


def check_name(name: str) -> None:
    """Raise ZdbNameError if no namespace can be called *name*."""
    if not name or name.startswith(".") or "/" in name or "\0" in name or name == DEFAULT:
        raise ZdbNameError(f"a namespace cannot be called {name!r}")
    if len(os.fsencode(name)) > MAX_NAME:
        raise ZdbNameError(f"the name of a namespace has at most {MAX_NAME} bytes")


def _hooks(plugins: Sequence[object]) -> Any:
    manager = pluggy.PluginManager("statehold_zdb")
    manager.add_hookspecs(ZdbHooks)
    for plugin in plugins:
        manager.register(plugin)
    return manager.hook
