from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

import attrs

from statehold.sdk import Intent, Key, Shared, StorageContext, StorageError, Value, merge, using
from statehold_zdb.client import Place, Pool
from statehold_zdb.engine import DEFAULT, Durability, Engine, EngineOptions, Sync, ZdbError
from statehold_zdb.storage._allowed import check_allowed
from statehold_zdb.storage._config import ZdbConfig
from statehold_zdb.storage._places import Files, Rowset, Server
from statehold_zdb.storage._rows import Rows, prefix_of

_PAGE: Final = 128
_DATA: Final = "data"
_INDEX: Final = "index"


@attrs.define(eq=False, kw_only=True)
class Zdb:
    """One partition's rows in 0-db.

    Any number of threads may use it.

    Attributes:
        name: the storage's qualified name.

    """

    name: Final[str]
    _rows: Rows
    _place: Rowset
    _freed: bool = attrs.field(default=False, init=False)

    @classmethod
    def open(cls, ctx: StorageContext, engines: Shared[Engine]) -> Zdb:
        """Open the files in the storage's data folder, or connect to a server.

        Raises:
            StorageError: a field cannot be kept, files or server cannot be used, or may not be.

        """
        config: ZdbConfig = ctx.config or ZdbConfig()
        try:
            if config.Url:
                return cls(name=ctx.storage, rows=Rows.of(ctx, prefix_of(ctx)), place=_server(ctx, config))
            rows = Rows.of(ctx, b"")
            return cls(name=ctx.storage, rows=rows, place=_files(ctx, config, engines))
        except ZdbError as error:
            raise StorageError(f"{ctx.storage}: {error.message}", hint=error.hint) from error

    def get(self, key: Key) -> Value | None:
        """Return the row's value, or None."""
        with self._using("GET"):
            (payload,) = self._place.get([self._rows.key(key)])
        return None if payload is None else self._rows.value(payload)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        with self._using("GETBATCH"):
            found = self._place.get(list(map(self._rows.key, keys)))
        return [None if payload is None else self._rows.value(payload) for payload in found]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys begin with *key*: those of now, each as it is when it comes."""
        rows = self._rows
        whole, hashed = starts = rows.starts(key)
        with self._using("READ"):
            keys = self._place.keys(starts)
        wanted = whole[len(rows.prefix) + 1 :]
        for i in range(0, len(keys), _PAGE):
            some = keys[i : i + _PAGE]
            with self._using("READ"):
                payloads = self._place.get(some)
            for stored, payload in zip(some, payloads, strict=True):
                if payload is None:
                    continue
                encoded = rows.encoded(stored, payload)
                if not stored.startswith(hashed) or encoded.startswith(wanted):
                    yield rows.row(encoded, payload)

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a row that is too large for 0-db."""
        for item in items:
            self._rows.payload(item.key, item.value)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Write all rows; when it returns they are as durable as configured."""
        payloads = {self._rows.key(item.key): self._rows.payload(item.key, item.value) for item in items}
        with self._using("apply"):
            if payloads:
                self._place.write(payloads)

    def probe(self) -> None:
        """Raise StorageError if files or server do not work."""
        with self._using("probe"):
            self._place.probe()

    def free(self) -> None:
        """Give files and connections back."""
        self._freed = True
        self._place.close()

    def _using(self, operation: str) -> AbstractContextManager[None]:
        return using(self.name, operation, freed=self._freed)


def _files(ctx: StorageContext, config: ZdbConfig, engines: Shared[Engine]) -> Rowset:
    folder = ctx.data_folder.resolve()
    options = EngineOptions(
        segment_size=config.SegmentBytes,
        durability=Durability(Sync(config.Durability), config.Interval),
        compact_at=config.CompactAt,
        clock=ctx.clock.now,
    )
    # The options of the first count.
    engine = engines.take(
        folder, lambda: Engine(folder / _DATA, folder / _INDEX, options=options, logger=ctx.logger)
    )
    return Files(engine[DEFAULT], partial(engines.give_back, folder))


def _server(ctx: StorageContext, config: ZdbConfig) -> Rowset:
    place = Place.parse(config.Url)
    check_allowed(ctx, place)
    password = config.Password.reveal() if config.Password is not None else ""
    return Server(Pool(place, password, config.TimeoutMilliseconds / 1000))
