from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from statehold.extensions._builtin import BuiltinEngine
from statehold.extensions._compare import compare, declared
from statehold.extensions._engine import Engine, EngineContext
from statehold.loading import FreeReport
from statehold.sdk import DeployError, StateholdError
from statehold_vsql import ExtensionEngine


@attrs.frozen(kw_only=True, eq=False)
class Engines:
    """The engines of one app version.

    Attributes:
        engines: those that the app needs, by their word in the declarations.
        of: the engine of each extension that can run, by the extension's qualified name.
        missing: the BUILTIN extensions of an image's own `sys` that this host does not have.

    """

    engines: Mapping[ExtensionEngine, Engine]
    of: Mapping[str, Engine]
    missing: frozenset[str]

    def free(self) -> Sequence[FreeReport]:
        """Free every engine, after the last call has returned; report what was loaded as Python."""
        return _free(self.engines)


def open_engines(context: EngineContext) -> Engines:
    """Open the engines that the app's declarations and code need.

    Raises:
        DeployError: code and declarations do not match, or code cannot be loaded; `problems` has one
            line for everything that was found, and nothing stays loaded.

    """
    builtin = declared(context.appdef, ExtensionEngine.BUILTIN)
    missing = frozenset(name for name in builtin if name not in context.functions and name.startswith("sys."))
    provided = {name: "" for name in builtin if name in context.functions or name in missing}
    problems = compare(context.appdef, ExtensionEngine.BUILTIN, provided)
    engines: dict[ExtensionEngine, Engine] = {}
    try:
        for word, open_engine in _needed(context).items():
            try:
                engines[word] = open_engine(context)
            except DeployError as error:
                problems += error.problems or [error.message]
            except StateholdError as error:
                problems.append(str(error))
    except BaseException:
        _free(engines)
        raise
    if problems:
        _free(engines)
        listed = problems[0] if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems)
        raise DeployError(
            f"the extensions of {context.app} {context.version} cannot be run: {listed}", problems=problems
        )
    return Engines(
        engines=engines,
        of={name: engine for engine in engines.values() for name in engine.names},
        missing=missing,
    )


def _needed(context: EngineContext) -> dict[ExtensionEngine, Callable[[EngineContext], Engine]]:
    """Return what opens the engines that something is declared for, or that there is code for."""
    needed: dict[ExtensionEngine, Callable[[EngineContext], Engine]] = {}
    if declared(context.appdef, ExtensionEngine.BUILTIN):
        needed[ExtensionEngine.BUILTIN] = BuiltinEngine
    if declared(context.appdef, ExtensionEngine.PYTHON) or context.image.extensions:
        from statehold.extensions.python import open_python  # noqa: PLC0415 - only for apps with Python code

        needed[ExtensionEngine.PYTHON] = open_python
    if declared(context.appdef, ExtensionEngine.WASM) or context.image.wasm:
        from statehold.extensions.wasm import open_wasm  # noqa: PLC0415 - it takes the WebAssembly runtime along

        needed[ExtensionEngine.WASM] = open_wasm
    return needed


def _free(engines: Mapping[ExtensionEngine, Engine]) -> list[FreeReport]:
    return [report for engine in engines.values() for report in engine.free()]
