from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from statehold.hosting._access import Access
from statehold.hosting._plugins import VersionPlugins
from statehold.images import Redactor
from statehold.sdk import Provider, Secret
from statehold.state import Rows
from statehold_vsql.appdef import AppDef


@attrs.frozen(kw_only=True, eq=False)
class PlannedStorage:
    """A storage that is ready to be opened in any partition.

    `requires` are the qualified names of storages that are open before it.
    """

    name: str
    provider: Provider
    requires: tuple[str, ...]
    rows: Rows
    config: Any
    secrets: Mapping[str, Secret]
    allowances: Mapping[str, Any]


@attrs.frozen(kw_only=True, eq=False)
class Plan:
    """A version of an app that has been verified, compiled, resolved and configured, and not yet opened.

    Attributes:
        storages: in the order in which they are opened.
        accesses: who may do what, also for the storages that this host does not provide.
        plugins: the plugins loaded for it, to be freed with it.
        redactor: takes its secrets out of texts.
        warnings: what was found that does not stop it.

    """

    app: str
    version: str
    digest: str
    appdef: AppDef
    num_parts: int
    storages: tuple[PlannedStorage, ...]
    accesses: Mapping[str, Access]
    plugins: VersionPlugins
    redactor: Redactor
    warnings: tuple[str, ...]
