from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from statehold.events import Schemas
from statehold.hosting._access import Access
from statehold.hosting._plugins import VersionPlugins
from statehold.images import Descriptor, Isolation, Redactor
from statehold.sdk import Entity, Operation, Provider, Rank, Secret
from statehold.state import Rows
from statehold_vsql.appdef import AppDef


@attrs.frozen(kw_only=True, eq=False)
class PlannedStorage:
    """A storage that is ready to be opened in any partition.

    `requires` are the qualified names of storages that are open before it; `entities` are the tables, views
    and types that extensions use it with, and `rows_of` what its keys and values are for each; `isolation` is
    where it runs.
    """

    name: str
    provider: Provider
    requires: tuple[str, ...]
    rows: Rows
    entities: Mapping[str, Entity]
    rows_of: Mapping[str, Rows]
    config: Any
    secrets: Mapping[str, Secret]
    allowances: Mapping[str, Any]
    isolation: Isolation


@attrs.frozen(kw_only=True, eq=False)
class PlannedUse:
    """A storage, or one entity of it, as one extension may use it in every partition."""

    access: Access
    entity: str | None
    rows: Rows
    allowed: frozenset[Operation]
    rank: Rank
    streamed: bool


@attrs.frozen(kw_only=True, eq=False)
class Plan:
    """A version of an app that has been verified, compiled, resolved and configured, and not yet opened.

    Attributes:
        descriptor: how it is to be deployed.
        schemas: the shapes of its tables, views and types.
        storages: in the order in which they are opened.
        accesses: who may do what, also for the storages that this host does not provide.
        uses: what each extension uses, by its qualified name.
        plugins: the plugins and engines loaded for it, to be freed with it.
        redactor: takes its secrets out of texts.
        warnings: what was found that does not stop it.

    """

    app: str
    version: str
    digest: str
    appdef: AppDef
    descriptor: Descriptor
    schemas: Schemas
    num_parts: int
    num_app_workspaces: int
    storages: tuple[PlannedStorage, ...]
    accesses: Mapping[str, Access]
    uses: Mapping[str, tuple[PlannedUse, ...]]
    plugins: VersionPlugins
    redactor: Redactor
    warnings: tuple[str, ...]
