from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from statehold.hosting import Matrix, Permission, StorageAccess
from statehold.images import StorageSettings, open_image
from statehold.loading import installed
from statehold.sdk import CompileError, Contract
from statehold_vsql import Operation, Scope, StorageEngine, compile_app
from statehold_vsql.appdef import StorageDef


def image_matrix(path: Path) -> Matrix:
    """Return who may do what in an image or an application's folder, with no code of it loaded.

    A storage that takes its operations from a plugin of the image is left out: only a deploy knows them.

    Raises:
        ImageError: it is no sound image.
        CompileError: its declarations have errors.

    """
    with open_image(path) as image:
        catalog = installed()
        contracts = catalog.contracts()
        with_plugin = {plugin.package for plugin in image.plugins}
        compiled = compile_app(catalog.complete(image.packages), contracts=contracts, with_plugin=with_plugin)
        if compiled.appdef is None:
            raise CompileError(
                f"the declarations of {path} have errors",
                diagnostics=compiled.diagnostics,
                hint=f"`statehold check {path}` shows each in its text",
            )
        announced = catalog.announced()
        storages = tuple(
            access
            for name, definition in sorted(compiled.appdef.storages.items())
            if (
                access := _access(
                    definition,
                    None if _is_left(definition, with_plugin) else contracts.get(definition.provider),
                    image.descriptor.storages.get(str(name), StorageSettings()),
                    provided=definition.engine is not StorageEngine.BUILTIN
                    or definition.provider not in announced,
                )
            )
        )
        return Matrix(app=image.app, version=image.version, storages=storages)


def _is_left(definition: StorageDef, with_plugin: Collection[str]) -> bool:
    return definition.engine is StorageEngine.PYPLUGIN and definition.position.package in with_plugin


def _access(
    definition: StorageDef, contract: Contract | None, settings: StorageSettings, *, provided: bool
) -> StorageAccess | None:
    declared = definition.operations or (contract.operations if contract else None)
    if declared is None:
        return None
    return StorageAccess(
        storage=str(definition.name),
        engine=definition.engine,
        provider=definition.provider,
        provided=provided,
        permissions={
            (operation, scope): _permission(declared, settings.scopes, operation, scope)
            for operation in Operation
            for scope in Scope
        },
    )


def _permission(
    declared: Mapping[Operation, frozenset[Scope]],
    narrowed: Mapping[Operation, frozenset[Scope]],
    operation: Operation,
    scope: Scope,
) -> Permission:
    if scope not in declared.get(operation, ()):
        return Permission.DENIED
    return Permission.DECLARED if scope in narrowed.get(operation, Scope) else Permission.NARROWED
