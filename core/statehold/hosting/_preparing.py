from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import attrs

from statehold.hosting._engines import engine_context, warn_of_missing
from statehold.hosting._evolving import Declared, offer
from statehold.hosting._plan import Plan
from statehold.hosting._planning import Planning
from statehold.hosting._plugins import VersionPlugins
from statehold.hosting._settings import HostSettings
from statehold.hosting._untrusted import untrusted_problems
from statehold.images import AppImage
from statehold.loading import Catalog, PluginFiles
from statehold.sdk import CompileError, DeployError, PluginError
from statehold.trust import Verdict, isolation_problems
from statehold_vsql import Contract, Severity, StorageEngine
from statehold_vsql.appdef import AppDef

Progress = Callable[[str], None]


class Preparer:
    """Makes a plan of a verified image: compiled, resolved, checked and configured, nothing opened yet."""

    def __init__(self, settings: HostSettings, catalog: Catalog, files: PluginFiles) -> None:
        self._settings = settings
        self._catalog = catalog
        self._files = files

    def prepare(self, image: AppImage, verdict: Verdict, progress: Progress) -> Plan:
        """Return the plan for *image*; its plugins are loaded then, and are to be freed by the caller.

        Raises:
            CompileError: the declarations have errors.
            DeployError: anything else is wrong; with all of it in `problems`.

        """
        plan, problems = self.plan(image, verdict, progress)
        try:
            return self._with_engines(image, plan, problems)
        except BaseException:
            plan.plugins.free()
            raise

    def plan(self, image: AppImage, verdict: Verdict, progress: Progress) -> tuple[Plan, list[str]]:
        """Return the plan without its engines, and all that is wrong with it; for `prepare`, and rehearsals.

        Raises:
            CompileError: the declarations have errors.
            DeployError: it is taken isolated only, and would not run so, or wants more than the default.

        """
        progress("compile the declarations")
        appdef, warnings = self._compile(image)
        settings = attrs.evolve(self._settings, untrusted=verdict.isolated)
        # Before any of its code is imported.
        if verdict.isolated:
            sandbox = self._settings.sidecars.sandbox
            found = [*isolation_problems(image, appdef), *untrusted_problems(image, appdef, sandbox)]
            if found:
                raise _failed(image, found)
        progress("load the plugins")
        plugins = VersionPlugins(image, self._catalog, self._files, settings)
        work = Planning(image, appdef, self._catalog, plugins, settings)
        try:
            return work.plan(warnings), work.problems
        except BaseException:
            plugins.free()
            raise

    def declared(self, image: AppImage) -> Declared:
        """Return what *image* declares, without loading any of its code.

        Raises:
            CompileError: the declarations have errors.

        """
        appdef, _ = self._compile(image)
        own = {plugin.package for plugin in image.plugins}
        announced = self._catalog.announced()
        offers = {}
        for storage in appdef.storages.values():
            if storage.engine is StorageEngine.BUILTIN and storage.provider in announced:
                offers[storage.name] = Contract(operations=announced[storage.provider].operations)
            elif storage.engine is StorageEngine.BUILTIN or storage.position.package not in own:
                with suppress(PluginError):
                    found = self._catalog.find(storage.provider, engine=storage.engine)
                    offers[storage.name] = offer(found.provider)
        return Declared(version=image.version, appdef=appdef, descriptor=image.descriptor, offers=offers)

    def _with_engines(self, image: AppImage, plan: Plan, problems: list[str]) -> Plan:
        try:
            plan.plugins.open_engines(engine_context(plan, image))
        except DeployError as error:
            problems += error.problems or [error.message]
        if problems:
            raise _failed(image, problems)
        missing = plan.plugins.engines.missing
        return attrs.evolve(plan, warnings=(*plan.warnings, *warn_of_missing(plan.appdef, missing)))

    def _compile(self, image: AppImage) -> tuple[AppDef, tuple[str, ...]]:
        from statehold_vsql import compile_app  # noqa: PLC0415 - brings the parser

        # What third parties provide is checked when it is resolved: the image may bring its own.
        own = {*self._catalog.names(engine=StorageEngine.BUILTIN), *self._catalog.announced()}
        compilation = compile_app(
            self._catalog.complete(image.packages),
            contracts=self._catalog.contracts(own),
            with_plugin={plugin.package for plugin in image.plugins},
        )
        errors = [found for found in compilation.diagnostics if found.severity is Severity.ERROR]
        if compilation.appdef is None:
            raise CompileError(
                f"the declarations of {image.app} {image.version} have {len(errors)} error(s): "
                + "; ".join(map(str, errors)),
                diagnostics=compilation.diagnostics,
                hint="Correct them: `statehold check` shows each in its text",
            )
        return compilation.appdef, tuple(str(found) for found in compilation.diagnostics)


def _failed(image: AppImage, problems: list[str]) -> DeployError:
    known = tuple(dict.fromkeys(problems))
    listed = f" {known[0]}" if len(known) == 1 else "".join(f"\n  - {problem}" for problem in known)
    return DeployError(
        f"{image.app} {image.version} cannot be deployed:{listed}",
        problems=known,
    )
