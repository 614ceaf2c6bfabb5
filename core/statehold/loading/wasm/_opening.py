from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from statehold.loading.wasm._codec import compile_codec, encode
from statehold.loading.wasm._description import StorageDescription
from statehold.loading.wasm._fields import config_values
from statehold.loading.wasm._limits import WasmLimits
from statehold.loading.wasm._operations import storage_class
from statehold.loading.wasm._runtime import Runtime
from statehold.sdk import IStateStorage, PluginError, Provider, StorageContext


def provider_of(described: StorageDescription, runtime: Runtime, limits: WasmLimits) -> Provider:
    """Return the provider of one storage of a module."""
    return Provider(
        name=described.name,
        open=partial(_open, described, runtime, limits),
        operations=described.contract.operations,
        key=described.key,
        value=described.value,
        config=described.config,
        sync_projector=described.contract.sync_projector,
        description=described.description,
    )


def _open(
    described: StorageDescription, runtime: Runtime, limits: WasmLimits, ctx: StorageContext
) -> IStateStorage:
    kind = storage_class(frozenset(described.contract.operations), runtime.module.exports)
    storage = kind(
        runtime,
        limits,
        ctx,
        codec=compile_codec([field.name for field in described.value], ctx),
        index=described.index,
        opening=encode(_opening(described, ctx)),
    )
    try:
        storage.take_over(ctx.existing)
    except BaseException:
        storage.free()
        raise
    return storage


def _opening(described: StorageDescription, ctx: StorageContext) -> Sequence[Any]:
    lacking = [name for name in described.secrets if name not in ctx.secrets]
    if lacking:
        raise PluginError(
            f"storage {ctx.storage} asks for secrets that its package does not have: {', '.join(lacking)}",
            hint="Declare them: SECRET <name> text; the package has "
            f"{', '.join(ctx.secrets) or 'no secrets'}",
        )
    return [
        ctx.storage,
        ctx.app,
        ctx.version,
        ctx.partition,
        config_values(ctx.config),
        [ctx.secrets[name].reveal() for name in described.secrets],
    ]
