from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import attrs

from statehold.sdk import Field, IStateStorage, Operation, Provider, Scope, StorageContext
from statehold_aos._databases import Databases
from statehold_aos._storage._config import AosConfig

_ALL: Final = frozenset(Scope)
_READ: Final = frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS})
_WRITE: Final = frozenset({Scope.COMMANDS, Scope.PROJECTORS, Scope.JOBS})
_OPERATIONS: Final = {
    Operation.GET: _ALL,
    Operation.GETBATCH: _ALL,
    Operation.READ: _READ,
    Operation.INSERT: _WRITE,
    Operation.UPDATE: _WRITE,
}


def _fields(**types: str) -> tuple[Field, ...]:
    return tuple(Field(name, kind) for name, kind in types.items())


_CONFIG: Final = _fields(version="int64", cursor="text")
_SERVICES: Final = _fields(
    version="int64",
    serviceProvider="text",
    path="text",
    unit="text",
    user="text",
    hostname="text",
    permissions="text",
    state="int64",
    status="int64",
    startat="int64",
    ttl="int64",
    alertRules="text",
    ulLimit="int64",
    dlLimit="int64",
    ulSpeed="int64",
    dlSpeed="int64",
    storageLimit="int64",
    stateLimit="int64",
    layerList="text",
    deviceResources="text",
)
_USERS: Final = _fields(storageFolder="text", stateCheckSum="bytes")
_TRAFFIC: Final = _fields(time="int64", value="int64")
_LAYERS: Final = _fields(layerId="text", path="text", osVersion="text")


@attrs.frozen
class _Opener:
    """Opens the storages of one table, on databases that those of the other tables have, too."""

    _databases: Databases
    _table: str

    def __call__(self, ctx: StorageContext) -> IStateStorage:
        from statehold_aos._storage._table import AosTable  # noqa: PLC0415 - brings dataset and SQLAlchemy
        from statehold_aos._storage._traffic import TrafficMonitorTable  # noqa: PLC0415 - likewise

        kind = TrafficMonitorTable if self._table == "trafficmonitor" else AosTable
        return kind(ctx, self._databases, self._table)


def _provider(
    opener: _Opener, name: str, key: tuple[str, ...], value: tuple[Field, ...], what: str
) -> Provider:
    return Provider(
        name=name,
        open=opener,
        operations=_OPERATIONS,
        key=[Field(one, "text", required=True) for one in key],
        default_value=value,
        config=AosConfig,
        requires=() if name == "Config" else ("Config",),
        inprocess_only="it shares a database with the others of AOS, and in a sidecar it would be alone",
        description=what,
    )


def make_providers(databases: Databases | None = None) -> Mapping[str, Provider]:
    """Return the providers of the five tables; what they open of one file shares one connection pool."""
    databases = databases or Databases()
    opener = partial(_Opener, databases)
    made = (
        _provider(opener("config"), "Config", (), _CONFIG, "State of the AOS system: version, journal"),
        _provider(opener("services"), "Services", ("id",), _SERVICES, "AOS services that are installed"),
        _provider(
            opener("users"),
            "Users",
            ("users", "serviceid"),
            _USERS,
            "Which user claim has which AOS service",
        ),
        _provider(
            opener("trafficmonitor"),
            "TrafficMonitor",
            ("chain",),
            _TRAFFIC,
            "Traffic counters of AOS services",
        ),
        _provider(opener("layers"), "Layers", ("digest",), _LAYERS, "Layers of AOS services"),
    )
    return {provider.name: provider for provider in made}
