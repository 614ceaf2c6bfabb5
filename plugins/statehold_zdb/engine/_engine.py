from __future__ import annotations

import contextlib
import hmac
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from statehold_zdb.engine._cut import Cut
from statehold_zdb.engine._descriptors import Descriptors
from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._errors import ZdbError, ZdbNameError, ZdbReadOnlyError
from statehold_zdb.engine._folders import Folders
from statehold_zdb.engine._keeper import Keeper
from statehold_zdb.engine._namespace import Namespace
from statehold_zdb.engine._options import Durability, EngineOptions, Mode, Sync
from statehold_zdb.engine._seal import Seal
from statehold_zdb.engine._settings import Settings, hashed, read_settings, write_settings
from statehold_zdb.engine._telling import Telling

DEFAULT: Final = "default"
MAX_NAME: Final = 128


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
        self._telling = Telling(plugins, self.get, self.logger)
        self.hooks: Final[Any] = self._telling.hooks
        self._descriptors = Descriptors()
        self._disk = self.options.disk or Disk()
        self._folders = Folders(self.data, self.index, self._disk, self.options.read_only)
        self._lock = threading.RLock()
        self._namespaces: dict[str, Namespace] = {}
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            stack.callback(self._folders.hold())
            self._seal = Seal(self.index)
            self._open_all()
            stack.callback(self._abandon_all)
            if self._telling.hears:
                self.hooks.zdb_ready()
            self._keeper = Keeper(self._keep, self.logger)
            if not self.options.read_only:
                self._keeper.start(self._tick())
            stack.callback(self._keeper.stop)
            self._compactor = Keeper(self._compact, self.logger)
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

    def create(
        self, name: str, *, mode: Mode | None = None, password: bytes | None = None, **settings: Any
    ) -> Namespace:
        """Make a namespace, and return it; all that it is told to be it is from its first moment on.

        Args:
            name: its name.
            mode: what its keys are; None for what the engine says.
            password: for those who use it; None for none.
            settings: any of the other fields of `Settings`.

        Raises:
            ZdbNameError: the name cannot be, or there is one.
            ZdbError: all namespaces of this engine have another mode.

        """
        check_name(name)
        if mode is not None and self.options.mode not in (None, mode):
            raise ZdbError("all namespaces of this engine have one mode")
        with self._lock:
            self._check_writable()
            if name in self._namespaces:
                raise ZdbNameError(f"there is a namespace {name!r}")
            made = self._make(name, mode, {**settings, **self._secret(name, password)})
        if settings:
            self._keeper.tick(self._tick())
        self._telling.soon(lambda: self.hooks.zdb_namespace_created(namespace=name))
        return made

    def delete(self, name: str) -> None:
        """Delete a namespace, and its files; ZdbError where the disk refuses that, and it is as it was."""
        with self._lock:
            self._check_writable()
            namespace = self[name]
            if name == DEFAULT:
                raise ZdbNameError("the namespace default cannot be deleted")
            self._telling.removing(namespace, namespace.segments())
            clear = self._folders.remove(name)
            del self._namespaces[name]
            namespace.abandon("it was deleted")
        clear()
        self._telling.soon(lambda: self.hooks.zdb_namespace_deleted(namespace=name))

    def configure(self, name: str, *, password: bytes | None = None, **changes: Any) -> Namespace:
        """Change what a namespace is told to be: any of the fields of `Settings`; on disk when it returns.

        An empty *password* takes it away. The mode can be changed as long as there are no records.
        """
        with self._lock:
            self._check_writable()
            namespace = self[name]
            settings = msgspec.structs.replace(namespace.settings, **changes, **self._secret(name, password))
            _check_durability(settings)
            if settings.mode is not namespace.settings.mode and self.options.mode is not None:
                raise ZdbError("all namespaces of this engine have one mode")
            namespace.take_settings(settings, lambda: write_settings(self.index / name, settings))
        self._keeper.tick(self._tick())
        self._telling.soon(lambda: self.hooks.zdb_namespace_updated(namespace=name))
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
        before = namespace.settings
        found = read_settings(self.index / name) or before
        namespace.settings = msgspec.structs.replace(found, name=name)
        try:
            namespace.reload()
        except BaseException:
            namespace.settings = before
            raise
        self._telling.soon(lambda: self.hooks.zdb_namespace_reloaded(namespace=name))

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
            self._telling.finish()
            if self._telling.hears and open_ones:
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
                self._telling.finish()
                if self._telling.hears:
                    self.hooks.zdb_namespace_closing(
                        namespace=namespace.name,
                        index=figures.active_index,
                        data=figures.active_data,
                        dirty=dirty,
                    )
        if failed:
            raise failed[0]

    # Inside

    def _open_all(self) -> None:
        if self._telling.hears:
            self.hooks.zdb_namespaces_init(index=str(self.index), data=str(self.data))
        try:
            for name, settings in self._folders.namespaces():
                self._namespaces[name] = self._opened(settings)
            if DEFAULT not in self._namespaces and not self.options.read_only:
                self._make(DEFAULT, None, {"maxsize": self.options.default_maxsize})
        except BaseException:
            self._abandon_all()
            raise

    def _make(self, name: str, mode: Mode | None, said: dict[str, Any]) -> Namespace:
        settings = Settings(
            name=name, mode=mode or self.options.mode or Mode.USER, seed=secrets.randbits(32), **said
        )
        _check_durability(settings)
        self._folders.make(settings)
        try:
            made = self._opened(settings)
        except BaseException:
            with contextlib.suppress(ZdbError):
                self._folders.remove(name)()
            raise
        self._namespaces[name] = made
        return made

    def _secret(self, name: str, password: bytes | None) -> dict[str, str]:
        """Return what the settings keep of a password: nothing to change for None, none for an empty one."""
        if password is None:
            return {}
        if not password:
            return {"password": "", "sealed": ""}
        return {"password": hashed(password), "sealed": self._seal.close(name, password)}

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
            on_missing=self._telling.missing,
            on_missing_range=self._telling.missing_range,
            on_removing=self._telling.removing,
            on_closed=self._telling.closed,
        )

    def _check_writable(self) -> None:
        if self.options.read_only:
            raise ZdbReadOnlyError("the engine was opened to read only")

    def _abandon_all(self) -> None:
        for namespace in self._namespaces.values():
            if not namespace.closed:
                namespace.abandon("its engine was closed")
        self._telling.finish()

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
            except Exception:  # the others are kept all the same
                self.logger.exception("%s: what was written may not be synced", namespace.name)

    def _compact(self) -> None:
        for namespace in self:
            try:
                namespace.compact_if_changed(self.options.compact_at)
            except ZdbError as error:
                self.logger.warning("%s: is not compacted: %s", namespace.name, error)


def _check_durability(settings: Settings) -> None:
    if settings.durability:
        Durability.parse(settings.durability)


def check_name(name: str) -> None:
    """Raise ZdbNameError if no namespace can be called *name*."""
    if not name or name.startswith(".") or "/" in name or "\0" in name or name == DEFAULT:
        raise ZdbNameError(f"a namespace cannot be called {name!r}")
    try:
        name.encode()
    except UnicodeEncodeError:  # its settings, which are JSON, could not say it
        raise ZdbNameError(f"a namespace cannot be called {name!r}: that is no text") from None
    if len(os.fsencode(name)) > MAX_NAME:
        raise ZdbNameError(f"the name of a namespace has at most {MAX_NAME} bytes")
