from __future__ import annotations

from collections.abc import Iterator

from statehold.extensions import EngineContext, Use
from statehold.hosting._logger import HostedLogger
from statehold.hosting._plan import Plan
from statehold.images import AppImage
from statehold.sdk import Scope
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import AppDef, ExtensionDef


def engine_context(plan: Plan, image: AppImage) -> EngineContext:
    """Return what the engines of a version are opened with."""
    logger = HostedLogger(f"statehold.{plan.app}.{plan.version}.extensions")
    logger.addFilter(plan.redactor)
    return EngineContext(
        app=plan.app,
        version=plan.version,
        appdef=plan.appdef,
        image=image,
        uses={
            extension: [
                Use(storage=use.access.storage, entity=use.entity, rows=use.rows, allowed=use.allowed)
                for use in uses
            ]
            for extension, uses in plan.uses.items()
        },
        partitions=plan.num_parts,
        pool_sizes=dict(zip(Scope, image.descriptor.engine_pool_size, strict=True)),
        settings=image.descriptor.extensions,
        functions=plan.plugins.functions(),
        logger=logger,
        redact=plan.redactor.redact,
    )


def not_run(appdef: AppDef, missing: frozenset[str]) -> tuple[ExtensionDef, ...]:
    """Return the projectors and jobs whose code this host does not have: nobody will call them."""
    return tuple(
        extension
        for extension in appdef.extensions.values()
        if str(extension.name) in missing and extension.kind in (ExtensionKind.PROJECTOR, ExtensionKind.JOB)
    )


def warn_of_missing(appdef: AppDef, missing: frozenset[str]) -> Iterator[str]:
    """Yield one warning that names all extensions whose code this host does not have, if there are any."""
    if missing:
        idle = ", ".join(str(extension.name) for extension in not_run(appdef, missing))
        yield (
            f"this host does not provide the BUILTIN extensions {', '.join(sorted(missing))}: calling one is "
            f"refused{f', and these projectors and jobs are not run: {idle}' if idle else ''}"
        )
