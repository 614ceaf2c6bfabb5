from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import attrs

from statehold.sdk import Operation, Scope

_EMPTY: Mapping[Any, Any] = MappingProxyType({})


class Isolation(StrEnum):
    """Where a storage's plugin runs."""

    INPROCESS = "inprocess"
    SIDECAR = "sidecar"
    WASM = "wasm"


@attrs.frozen(kw_only=True)
class StorageSettings:
    """What the operator says about one storage.

    Attributes:
        isolation: where its plugin runs; None for what the host thinks fit.
        limits: numbers by name, such as `{"memory_mib": 64}`.
        scopes: operations narrowed to fewer scopes than the declaration permits.
        allow: what it may do beyond the defaults, such as `{"network": ("127.0.0.1",)}`.
        version: which version of the plugin, where the image has several; None for the highest.

    """

    isolation: Isolation | None = None
    limits: Mapping[str, float] = _EMPTY
    scopes: Mapping[Operation, frozenset[Scope]] = _EMPTY
    allow: Mapping[str, object] = _EMPTY
    version: str | None = None


@attrs.frozen(kw_only=True)
class ExtensionSettings:
    """What the operator says about the extensions of one package.

    Attributes:
        memory_mib: how much memory an instance of its WebAssembly may have; None for the default.
        seconds: how long a call may compute, by what runs it; the default for what is not in it.

    """

    memory_mib: int | None = None
    seconds: Mapping[Scope, float] = _EMPTY


def _names_only(params: Mapping[str, Mapping[str, object]]) -> str:
    # A value may be a secret that somebody put here by mistake.
    return repr({package: sorted(values) for package, values in params.items()})


@attrs.frozen(kw_only=True)
class Descriptor:
    """How an app is to be deployed: the contents of descriptor.json.

    Attributes:
        num_parts: partitions, numbered from 0.
        engine_pool_size: engines for commands, queries, projectors and jobs.
        num_app_workspaces: workspaces of the app.
        version: the version's name, where the app gives one.
        package_params: package -> name -> value.
        storages: `pkg.Name` -> settings.
        extensions: package -> settings.

    """

    num_parts: int = 1
    engine_pool_size: tuple[int, int, int, int] = (10, 10, 10, 1)
    num_app_workspaces: int = 1
    version: str | None = None
    package_params: Mapping[str, Mapping[str, object]] = attrs.field(default=_EMPTY, repr=_names_only)
    storages: Mapping[str, StorageSettings] = _EMPTY
    extensions: Mapping[str, ExtensionSettings] = _EMPTY
