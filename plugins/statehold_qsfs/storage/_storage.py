from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import count
from typing import Final

import attrs
import msgspec

from statehold.sdk import (
    Intent,
    Key,
    Shared,
    StateholdError,
    StorageContext,
    StorageError,
    Value,
    merge,
    using,
)
from statehold_qsfs.files import EXCHANGE, FileSystem, FileSystemOptions
from statehold_qsfs.storage._config import QsfsConfig
from statehold_qsfs.storage._rows import ATTRIBUTE, Rows
from statehold_qsfs.storage._store import NEW, Store, make_folder

_MODE: Final = 0o644
_MISSING: Final = (errno.ENOENT, errno.ENOTDIR)


@attrs.define(eq=False, kw_only=True)
class Qsfs:
    """One partition's values as files.

    A file is written under another name first, and the files of a batch get theirs at once: nobody ever sees
    half a value, and a crash leaves all of a batch or nothing. Any number of threads may use it.

    Attributes:
        name: the storage's qualified name.

    """

    name: Final[str]
    _rows: Rows
    _store: Store
    _new: str
    _release: Callable[[], None]
    _numbers: Iterator[int] = attrs.field(factory=count, init=False)
    _freed: bool = attrs.field(default=False, init=False)

    @classmethod
    def open(cls, ctx: StorageContext, stores: Shared[Store]) -> Qsfs:
        """Open the filesystem in the storage's data folder.

        Raises:
            StorageError: a field cannot be kept, or the filesystem cannot be used.

        """
        config: QsfsConfig = ctx.config or QsfsConfig()
        rows, folder = Rows.of(ctx, config.Folder), ctx.data_folder.resolve()
        options = FileSystemOptions(
            flush_every=config.FlushSeconds, quota=config.QuotaBytes, clock=lambda: int(ctx.clock.now() * 1e9)
        )
        try:
            # The options of the first count.
            store = stores.take(folder, lambda: Store.opened(folder, options))
        except StateholdError as error:
            raise StorageError(f"{ctx.storage}: {error.message}", hint=error.hint) from error
        new = f"{NEW}{id(rows)}"
        try:
            make_folder(store.files, config.Folder)
            make_folder(store.files, new)
        except OSError as error:
            stores.give_back(folder)
            raise StorageError(f"{ctx.storage}: {config.Folder}: {error.strerror}") from error
        return cls(
            name=ctx.storage, rows=rows, store=store, new=new, release=partial(stores.give_back, folder)
        )

    @property
    def _files(self) -> FileSystem:
        return self._store.files

    def get(self, key: Key) -> Value | None:
        """Return the row's value, or None."""
        with self._using("GET"):
            return self._value(self._rows.path(key))

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        with self._using("GETBATCH"):
            return [self._value(self._rows.path(key)) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys begin with *key*: those of now, each as it is when it comes."""
        rows = self._rows
        with self._using("READ"):
            found = sorted((self._key(path), path) for path in self._below(*rows.start(key)))
        for encoded, path in found:
            with self._using("READ"):
                value = self._value(path)
            if value is not None:
                yield rows.key(encoded), value

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a row that no file can have."""
        for item in items:
            self._rows.file(item.key, item.value)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Write all rows; when it returns they survive a loss of power."""
        rows = self._rows
        written = {rows.path(item.key): rows.file(item.key, item.value) for item in items}
        if not written:
            return
        moves: list[tuple[str, str, int]] = []
        moved = False
        with self._using("apply"), self._store.writing(written.keys()):
            try:
                for path, (attribute, data) in written.items():
                    new = f"{self._new}/{next(self._numbers)}"
                    moves.append((new, path, EXCHANGE if self._is_there(path) else 0))
                    self._write(new, attribute, data)
                    make_folder(self._files, path.rpartition("/")[0])
                self._files.rename_all(moves)
                moved = True
                self._files.sync()
            except BaseException:
                with suppress(OSError, StateholdError):  # where it is refused, what was before is kept
                    if moved:
                        self._files.rename_all([(path, new, flags) for new, path, flags in reversed(moves)])
                    self._remove(new for new, _, _ in moves)
                raise
            self._remove(new for new, _, flags in moves if flags)

    def probe(self) -> None:
        """Raise StorageError if nothing can be made durable."""
        with self._using("probe"):
            self._files.sync()

    def free(self) -> None:
        """Give the filesystem back."""
        if not self._freed:
            self._freed = True
            with suppress(OSError):
                self._files.rmdir(self._new)
            self._release()

    def _value(self, path: str) -> Value | None:
        files = self._files
        try:
            handle = files.open(path, os.O_RDONLY)
        except OSError as error:
            if error.errno in _MISSING:
                return None
            raise
        try:
            known = files.fgetattr(handle)
            with self._row(path):
                return self._rows.value(
                    files.inodes.getxattr(known.ino, ATTRIBUTE), files.read(handle, known.size, 0)
                )
        finally:
            files.release(handle)

    def _key(self, path: str) -> bytes:
        with self._row(path):
            return self._rows.key_of(self._files.getxattr(path, ATTRIBUTE))

    def _is_there(self, path: str) -> bool:
        """Whether there is a file; EISDIR where somebody has put a folder by hand."""
        try:
            known = self._files.getattr(path)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(known.mode):
            raise IsADirectoryError(errno.EISDIR, f"{path} is a folder", path)
        return True

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            with suppress(OSError):
                self._files.unlink(path)

    def _write(self, path: str, attribute: bytes, data: bytes) -> None:
        handle = self._files.create(path, os.O_WRONLY | os.O_EXCL, _MODE)
        try:
            self._files.write(handle, data, 0)
            self._files.setxattr(path, ATTRIBUTE, attribute)
        finally:
            self._files.release(handle)

    def _below(self, path: str, depth: int) -> Iterator[str]:
        """Yield the paths of the files that are so many folders below."""
        if not depth:
            with suppress(OSError):
                self._files.getattr(path)
                yield path
            return
        try:
            entries = self._files.list(path)
        except OSError as error:
            if error.errno in _MISSING:
                return
            raise
        for entry in entries:
            if depth == 1 or stat.S_ISDIR(entry.mode):
                yield from self._below(f"{path}/{entry.name}", depth - 1)

    @contextmanager
    def _row(self, path: str) -> Generator[None]:
        """Say which file it is that somebody has put there, or changed, by hand."""
        try:
            yield
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.errno != errno.ENODATA:
                raise
            raise StorageError(
                f"{self.name}: {path} is a file that is no row, as its attribute {ATTRIBUTE} would say",
                hint="It was put there, or replaced, by hand: mount the store, and take it elsewhere",
            ) from error

    def _using(self, operation: str) -> AbstractContextManager[None]:
        return using(self.name, operation, freed=self._freed)
