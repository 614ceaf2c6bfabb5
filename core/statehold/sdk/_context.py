from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import attrs

from statehold.sdk._federation import FederationHost
from statehold.sdk._protocols import IStateStorage
from statehold.sdk._rows import Key, Value
from statehold.sdk._secret import Secret
from statehold_vsql import Field


class StorageLogger(logging.Logger):
    """A standard logger; `verbose` is another word for `debug`."""

    verbose = logging.Logger.debug


class Clock(Protocol):
    """Where a storage reads the time, so that tests can turn it."""

    def now(self) -> float:
        """Return the seconds since 1970."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""


@attrs.frozen(kw_only=True, eq=False)
class Entity:
    """A table, view or type of the app, as a storage holds it whose keys and values follow the entity.

    Attributes:
        name: the qualified name.
        definition: its `TableDef`, `ViewDef` or `TypeDef` (`statehold_vsql.appdef`).
        key: the fields of its keys.
        value_fields: the fields of its values.
        key_class: the class of whole keys.
        prefix_class: the class of keys for READ whose trailing fields were left out.
        value_class: the class of values.
        value: makes a checked value of named fields.

    """

    name: str
    definition: Any
    key: tuple[Field, ...]
    value_fields: tuple[Field, ...]
    key_class: type[Key]
    prefix_class: type[Key]
    value_class: type[Value]
    value: Callable[..., Value]


@attrs.frozen(kw_only=True, eq=False)
class StorageContext:
    """All that a storage gets from its host when it is opened.

    Attributes:
        logger: named after app, version, partition and storage.
        storage: the qualified name, `bills.Scada`.
        app: `owner.app`.
        version: the app version's name.
        partition: the partition's number, from 0.
        config: an instance of the provider's config model; None where it has none.
        secrets: the secrets of the package, by name.
        key: the fields of KEY.
        value_fields: the fields of VALUE.
        value: makes a checked `Value` of named fields.
        key_class: the class of whole keys: `key_class(WSID, *fields)` in the order of KEY, unchecked, for
            what the storage itself has kept.
        value_class: likewise, `value_class(*fields)` in the order of VALUE.
        data_folder: a folder of this storage alone, the same for every version of the app; storages of `sys`
            find none there.
        clock: the time.
        existing: the storage of the version being replaced, or None: a place to take a warm cache over,
            while `open` runs; afterwards it is None.
        storages: the storages named in the provider's `requires`, by name.
        background: runs a function on a thread of its own until the event it is given is set; the host
            sets it before `free()`.
        pending: a context manager around work that must end before the storage is freed.
        allowances: what the operator allows beyond the defaults, such as `{"network": ["127.0.0.1"]}`.
        entities: for a storage of entities, those of the app, by qualified name.
        data: the events, records and views of the partition (`statehold.events.PartitionData`), for
            storages that stand on them.
        host: where other applications are (`FederationHost`); None where the host knows none.

    """

    logger: StorageLogger
    storage: str
    app: str
    version: str
    partition: int
    config: Any
    secrets: Mapping[str, Secret]
    key: tuple[Field, ...]
    value_fields: tuple[Field, ...]
    value: Callable[..., Value]
    key_class: type[Key]
    value_class: type[Value]
    data_folder: Path
    clock: Clock
    existing: IStateStorage | None
    storages: Mapping[str, IStateStorage]
    background: Callable[[Callable[[threading.Event], None]], None]
    pending: Callable[[str], AbstractContextManager[None]]
    allowances: Mapping[str, Any]
    entities: Mapping[str, Entity] = attrs.field(factory=dict)
    data: Any = None
    host: FederationHost | None = None
