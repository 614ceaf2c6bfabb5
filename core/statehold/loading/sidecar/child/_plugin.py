from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from statehold.loading._boundaries import why_inprocess
from statehold.loading._plugin import load_plugin
from statehold.loading._reference import check_is_provider, load_object
from statehold.loading.sidecar._fields import fields_told
from statehold.loading.sidecar._models import model_told
from statehold.sdk import PluginError, Provider


@attrs.frozen(eq=False)
class Plugin:
    """The code of a sidecar."""

    providers: Mapping[str, Provider]
    description: Mapping[str, Any]
    free: Callable[[], object]


def load(job: Mapping[str, Any]) -> Plugin:
    """Load what *job* names: a plugin file, or providers that are installed.

    Raises:
        PluginError: it is damaged, broken, or cannot work in a process of its own.

    """
    if "refused" in job:
        raise PluginError(f"the plugin of {job['owner']} was not loaded: {job['refused']}")
    described: dict[str, Any] = {"lacking": job.get("lacking", [])}
    if job["kind"] == "file":
        loaded = load_plugin(Path(job["path"]), owner=job["owner"], sha256=job["sha256"])
        described |= {
            "distribution": loaded.distribution,
            "version": loaded.version,
            "sha256": loaded.sha256,
            "hooks": [*loaded.hooks],
        }
        return _described(loaded.providers, described, loaded.free)
    providers = {}
    for name, value, who in job["entries"]:
        found = load_object(value, who=who, import_module=importlib.import_module)
        providers[name] = check_is_provider(found, name=name, who=who)
    return _described(providers, described, lambda: None)


def _described(
    providers: Mapping[str, Provider], described: dict[str, Any], free: Callable[[], object]
) -> Plugin:
    return Plugin(providers, {**described, "providers": [*map(_told, providers.values())]}, free)


def _told(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "operations": {str(op): [*map(str, scopes)] for op, scopes in provider.operations.items()},
        "key": fields_told(provider.key),
        "value": fields_told(provider.value),
        "default_key": fields_told(provider.default_key),
        "default_value": fields_told(provider.default_value),
        "config": None if provider.config is None else model_told(provider.config),
        "sync_projector": provider.sync_projector,
        "requires": provider.requires,
        "rank": int(provider.rank),
        "inprocess_only": why_inprocess(provider),
        "description": provider.description,
    }
