from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from statehold.events import entities_of, entity_rows
from statehold.sdk import (
    Clock,
    FederationHost,
    Field,
    IStateStorage,
    Provider,
    SchemaError,
    Secret,
    StorageContext,
    StorageLogger,
)
from statehold.state import Rows, compile_rows
from statehold.testing._app import MemoryApp
from statehold.testing._clock import FakeClock
from statehold.testing._work import Work


def context(
    provider: Provider,
    *,
    config: object = None,
    secrets: Mapping[str, str | Secret] | None = None,
    key: Iterable[Field] | None = None,
    value: Iterable[Field] | None = None,
    rows: Rows | None = None,
    package: str = "test",
    app: str = "test.app",
    version: str = "1",
    partition: int = 0,
    data_folder: Path | None = None,
    clock: Clock | None = None,
    logger: StorageLogger | None = None,
    existing: IStateStorage | None = None,
    storages: Mapping[str, IStateStorage] | None = None,
    allowances: Mapping[str, Any] | None = None,
    memory: MemoryApp | None = None,
    host: FederationHost | None = None,
    work: Work | None = None,
) -> StorageContext:
    """Return a context as a host makes it, for `provider.open(...)`.

    Args:
        provider: whose storage is to be opened.
        config: a mapping as it stands in JSONCONFIG, read into the provider's config model; or an
            instance of that model.
        secrets: the package's secrets by name; a `str` becomes a `Secret`.
        key: the fields of KEY, where the provider leaves them to the declaration.
        value: the fields of VALUE, likewise.
        rows: the constructors of keys and values, where the caller has them already (`rows_of`).
        package: the package's local name; the storage is called `<package>.<provider's name>`.
        app: `owner.app`.
        version: the app version's name.
        partition: the partition's number.
        data_folder: an existing folder; by default a new temporary one that goes with the context.
        clock: by default a `FakeClock` that stands still.
        logger: by default one that hands every record on to the root logger, as pytest's `caplog` expects.
        existing: the storage of the version being replaced.
        storages: what the provider's `requires` names.
        allowances: what the operator allows beyond the defaults.
        memory: an app in memory, for a storage of its entities or its events.
        host: where other applications are.
        work: ends what the storage starts through `background` and `pending`; pass one to `end()` it
            yourself, or use `open_storage`, which does.

    Raises:
        SchemaError: neither the provider nor the caller says what KEY or VALUE are.

    """
    rows = rows or rows_of(provider, key=key, value=value, package=package, memory=memory)
    # The rows of an entity are called after the entity.
    name = rows.storage if memory is None else f"{package}.{provider.name}"
    folder = Path(tempfile.mkdtemp(prefix="statehold-")) if data_folder is None else data_folder
    work = work or Work()
    made = StorageContext(
        logger=logger or _logger(f"statehold.{app}.{version}.{partition}.{name}"),
        storage=name,
        app=app,
        version=version,
        partition=partition,
        config=_config(provider, config),
        secrets={
            key: secret if isinstance(secret, Secret) else Secret(secret)
            for key, secret in (secrets or {}).items()
        },
        key=rows.key_fields,
        value_fields=rows.value_fields,
        value=rows.value,
        key_class=rows.Key,
        value_class=rows.Value,
        data_folder=folder,
        clock=clock or FakeClock(),
        existing=existing,
        storages=storages or {},
        background=work.background,
        pending=work.pending,
        allowances=allowances or {},
        entities={} if memory is None or memory.entity is None else entities_of({memory.shape: rows}),
        data=None if memory is None else memory.data,
        host=host,
    )
    if data_folder is None:
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def rows_of(
    provider: Provider,
    *,
    key: Iterable[Field] | None = None,
    value: Iterable[Field] | None = None,
    package: str = "test",
    memory: MemoryApp | None = None,
) -> Rows:
    """Return the constructors of keys and values; what the provider says comes before *key* and *value*.

    Those of an entity are as its shape in *memory*.
    """
    if memory is not None and memory.entity is not None:
        return entity_rows(provider, memory.shape)
    name = f"{package}.{provider.name}"
    return compile_rows(
        name,
        _schema(name, "key", provider.key, key, provider.default_key),
        _schema(name, "value", provider.value, value, provider.default_value),
    )


def _schema(name: str, part: str, *choices: Iterable[Field] | None) -> tuple[Field, ...]:
    for fields in choices:
        if fields is not None:
            return tuple(fields)
    raise SchemaError(
        f"{name}: nobody says what {part.upper()} is",
        storage=name,
        field="",
        expected=f"fields from the provider's `{part}` or `default_{part}`, or from the test",
        got=None,
        hint=f"The provider fits any declaration: pass {part}=[Field(...), ...]",
    )


def _logger(name: str) -> StorageLogger:
    # Not by getLogger: `logging` would keep it for ever.
    logger = StorageLogger(name, logging.DEBUG)
    logger.parent = logging.getLogger()
    return logger


def _config(provider: Provider, given: object) -> object:
    if provider.config is None or isinstance(given, provider.config):
        return given
    return msgspec.convert({} if given is None else given, provider.config, dec_hook=_secret)


def _secret(kind: type, given: object) -> object:
    if kind is not Secret:
        raise NotImplementedError(f"a config model cannot hold {kind.__name__}")
    if isinstance(given, Secret):
        return given
    if isinstance(given, str):
        return Secret(given)
    raise TypeError(f"expected a secret, got {type(given).__name__}")
