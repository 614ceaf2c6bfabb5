from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import attrs
from cachebox import LRUCache
from msgspec.structs import astuple

from statehold.sdk import (
    UNSET,
    Field,
    Intent,
    IStateStorage,
    IWithRows,
    Key,
    StorageContext,
    StorageError,
    Value,
    fields,
)
from statehold_sys._ephemeral._config import EphemeralConfig
from statehold_sys._ephemeral._family import Family
from statehold_sys._ephemeral._size import entry_size
from statehold_sys._intents import Updates


@attrs.define(eq=False, kw_only=True)
class Ephemeral(Updates):
    """One partition's rows in memory, never more bytes than the budget.

    When a version replaces another, both hold the same rows until the older one is freed: what a call
    in flight still writes on one side is seen on the other.

    Attributes:
        name: the storage's qualified name.
        schema: the fields of KEY and of VALUE.
        family: the caches of the same partition in other versions that are open.
        get: the cache's own look-up, so that a GET costs no further call.

    """

    name: Final[str]
    schema: Final[tuple[tuple[Field, ...], tuple[Field, ...]]]
    _key_class: type[Key]
    _value_class: type[Value]
    _size: Callable[[Key, Value], int]
    _cache: LRUCache[Key, Value]
    family: Family
    get: Callable[[Key], Value | None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.get = self._cache.get

    @classmethod
    def open(cls, ctx: StorageContext) -> Ephemeral:
        """Return an empty cache, or one with the rows of the version being replaced if the fields agree."""
        config: EphemeralConfig = ctx.config or EphemeralConfig()
        schema = (ctx.key, ctx.value_fields)
        before = ctx.existing if isinstance(ctx.existing, Ephemeral) else None
        if before is not None and before.schema != schema:
            ctx.logger.info("starts empty: KEY or VALUE have changed since the version being replaced")
            before = None
        size = entry_size(*schema)
        opened = cls(
            name=ctx.storage,
            schema=schema,
            key_class=ctx.key_class,
            value_class=ctx.value_class,
            size=size,
            cache=LRUCache(config.PartitionMaxSize, getsizeof=size),
            family=Family() if before is None else before.family,
        )
        opened.family.join(opened, heir_of=before)
        foreign = None if isinstance(ctx.existing, Ephemeral) else ctx.existing
        if isinstance(foreign, IWithRows) and not opened.take(foreign.rows()):
            ctx.logger.info("starts empty: KEY or VALUE have changed since the version being replaced")
        return opened

    def take(self, rows: Iterable[tuple[Key, Value]]) -> bool:
        """Have rows of a version that runs in another process; return whether the fields agree."""
        key_names, value_names = self._key_class.__struct_fields__, self._value_class.__struct_fields__
        for key, value in rows:
            if key.__struct_fields__ != key_names or value.__struct_fields__ != value_names:
                return False
            self.keep([(key, value)])
        return True

    def resume(self, existing: IStateStorage) -> None:
        """Have the rows of *existing*, as if opened with it; most often the two had the same all the time."""
        if isinstance(existing, Ephemeral):
            if existing.family is not self.family and existing.schema == self.schema:
                self._leave()
                self.family = existing.family
                self.family.join(self, heir_of=existing)
        elif isinstance(existing, IWithRows):
            self._leave()
            self.family = Family()
            self.family.join(self, heir_of=None)
            self.take(existing.rows())

    def shares_with(self, existing: IStateStorage) -> bool:
        """Return whether *existing* is in the same process and has the same rows at all times."""
        return isinstance(existing, Ephemeral) and existing.family is self.family

    def _leave(self) -> None:
        self.family.leave(self)
        self._cache.clear()

    @property
    def budget(self) -> int:
        """How many bytes the rows may take."""
        return self._cache.maxsize

    @property
    def used(self) -> int:
        """How many bytes the rows take."""
        return self._cache.current_size()

    def __len__(self) -> int:
        return len(self._cache)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        return list(map(self._cache.get, keys))

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows as they were at the call, in key order, NULL first; they do not count as used."""
        wanted = {name: field for name, field in fields(key).items() if field is not UNSET}
        rows = [row for row in self.rows() if all(getattr(row[0], name) == wanted[name] for name in wanted)]
        rows.sort(key=lambda row: _order(row[0]))
        return (row for row in rows)

    def rows(self) -> list[tuple[Key, Value]]:
        """Return all rows, the least recently used first."""
        # Of a copy: a GET moves entries while another thread walks over them.
        return list(self._cache.copy().items())

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError if a row, or the batch as a whole, is larger than the budget."""
        self._checked(items)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Put all rows, after the checks of `validate`."""
        self.family.put(self._checked(items))

    def keep(self, rows: Sequence[tuple[Key, Value]]) -> None:
        """Put rows, which may be those of another version; a row larger than the budget is left out."""
        cache, budget = self._cache, self.budget
        for key, value in rows:
            own_key, own_value = self._own(key, value)
            if self._size(own_key, own_value) <= budget:
                cache.insert(own_key, own_value)
            else:
                cache.pop(own_key, None)

    def free(self) -> None:
        """Forget all rows."""
        self.family.leave(self)
        self._cache.clear()

    def _checked(self, items: Sequence[Intent]) -> list[tuple[Key, Value]]:
        """Return the rows that will stand, each once, in the order in which they were written last."""
        rows: dict[Key, Value] = {}
        sizes: dict[Key, int] = {}
        for item in items:
            size = self._size(item.key, item.value)
            if size > self.budget:
                raise StorageError(
                    f"{self.name}: a row takes {size:,} bytes, the partition's budget is {self.budget:,}",
                    hint="Raise PartitionMaxSize in JSONCONFIG, or store less in one row",
                )
            rows.pop(item.key, None)
            rows[item.key], sizes[item.key] = item.value, size
        total = sum(sizes.values())
        if total > self.budget:
            raise StorageError(
                f"{self.name}: {len(rows):,} rows take {total:,} bytes together, the partition's budget is "
                f"{self.budget:,}: writing the last would push out the first",
                hint="Raise PartitionMaxSize in JSONCONFIG, or write smaller batches",
            )
        return list(rows.items())

    def _own(self, key: Key, value: Value) -> tuple[Key, Value]:
        if type(key) is not self._key_class:
            key = self._key_class(*astuple(key))
        if type(value) is not self._value_class:
            value = self._value_class(*astuple(value))
        return key, value


def _order(key: Key) -> list[tuple[bool, Any]]:
    return [(field is not None, field) for field in astuple(key)]
