from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import attrs

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
from statehold_zstor.config import Config
from statehold_zstor.objects import ObjectNotFoundError, Zstor
from statehold_zstor.storage._config import ZstorConfig
from statehold_zstor.storage._local import local_config
from statehold_zstor.storage._rows import Rows


@attrs.define(eq=False, kw_only=True)
class ZstorStorage:
    """One partition's rows as objects of a zstor.

    Any number of threads may use it.

    Attributes:
        name: the storage's qualified name.

    """

    name: Final[str]
    _rows: Rows
    _zstor: Zstor
    _release: Callable[[], None]
    _freed: bool = attrs.field(default=False, init=False)

    @classmethod
    def open(cls, ctx: StorageContext, zstors: Shared[Zstor]) -> ZstorStorage:
        """Open the zstor of a configuration, or one in folders of the storage's data folder.

        Raises:
            StorageError: a field cannot be kept, or the configuration is wrong, or may not be used.

        """
        rows = Rows.of(ctx)
        wanted: ZstorConfig = ctx.config or ZstorConfig()
        path = _allowed(ctx, wanted.Config) if wanted.Config else None
        try:
            config = local_config(ctx.data_folder.resolve(), wanted) if path is None else Config.read(path)
            # By what it says: where that has changed, the version before goes on with what it was.
            zstor = zstors.take(config, lambda: Zstor(config, logger=ctx.logger))
        except StateholdError as error:
            raise StorageError(f"{ctx.storage}: {error.message}", hint=error.hint) from error
        return cls(name=ctx.storage, rows=rows, zstor=zstor, release=partial(zstors.give_back, config))

    def get(self, key: Key) -> Value | None:
        """Return the row's value, or None."""
        with self._using("GET"):
            return self._get(self._rows.name(key))

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        with self._using("GETBATCH"):
            return [self._get(self._rows.name(key)) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys begin with *key*: those of now, each as it is when it comes."""
        with self._using("READ"):
            names = sorted(info.key for info in self._zstor.list(self._rows.begins(key)))
        for name in names:
            with self._using("READ"):
                value = self._get(name)
            if value is not None:
                yield self._rows.key(name), value

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a row that is too large."""
        for item in items:
            self._rows.payload(item.value)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Store all rows; when it returns they have their redundancy. What fails half-way is undone."""
        payloads = {self._rows.name(item.key): self._rows.payload(item.value) for item in items}
        with self._using("apply"):
            self._store(payloads)

    def probe(self) -> None:
        """Raise StorageError if the metadata cannot be read, or too few backends answer to write."""
        with self._using("probe"):
            self._zstor.check(f"{self._rows.prefix}probe")
            spots = self._zstor.world.spots(patient=True)
            needed = self._zstor.world.config.acknowledge.minimum
            if len(spots) < needed:
                raise StorageError(
                    f"{self.name}: {len(spots)} backends take shards, {needed} are needed: "
                    f"{self._zstor.world.problems()}"
                )

    def free(self) -> None:
        """Give connections and threads back."""
        self._freed = True
        self._release()

    def _get(self, name: str) -> Value | None:
        try:
            return self._rows.value(self._zstor.read(name))
        except ObjectNotFoundError:
            return None

    def _store(self, payloads: Mapping[str, bytes]) -> None:
        before: dict[str, bytes | None] = {}
        for name, payload in payloads.items():
            try:
                if len(payloads) > 1:
                    before[name] = self._bytes(name)
                self._zstor.store(name, payload)
            except StateholdError:
                self._undo(before)
                raise

    def _bytes(self, name: str) -> bytes | None:
        try:
            return self._zstor.read(name)
        except ObjectNotFoundError:
            return None

    def _undo(self, before: Mapping[str, bytes | None]) -> None:
        try:
            for name, payload in before.items():
                if payload is None:
                    self._zstor.delete(name)
                elif self._bytes(name) != payload:
                    self._zstor.store(name, payload)
        except StateholdError as error:
            raise StorageError(
                f"{self.name}: a batch failed, and what was stored of it cannot be undone: {error.message}",
                hint="Look at the backends, and write the batch again",
            ) from error

    def _using(self, operation: str) -> AbstractContextManager[None]:
        return using(self.name, operation, freed=self._freed)


def _allowed(ctx: StorageContext, given: str) -> Path:
    """Return the path of a configuration that the operator allows: it stands in the app's own text."""
    if given not in map(str, ctx.allowances.get("zstor", ())):
        raise StorageError(
            f"{ctx.storage}: may not use the zstor of {given}",
            hint='The operator allows it in the descriptor: "Storages": {"'
            f'{ctx.storage}": {{"allow": {{"zstor": ["{given}"]}}}}}}',
        )
    return Path(given)
