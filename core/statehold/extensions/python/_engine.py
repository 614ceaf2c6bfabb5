from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

from statehold.extensions._engine import EngineContext
from statehold.extensions._pools import Pool, Pools
from statehold.extensions.python._functions import find_functions
from statehold.extensions.python._imports import import_modules
from statehold.extensions.python._runner import compile_runner
from statehold.extensions.python._sources import load_sources
from statehold.loading import FreeReport, LoadedCode
from statehold.sdk import CallContext, DeployError, PluginError, Scope
from statehold.state import State

Run = Callable[[State], None]


class PythonEngine:
    """Runs the functions of the image's `extensions/` folders, in a private namespace of the app version."""

    def __init__(self, context: EngineContext, code: LoadedCode, runs: dict[str, Run]) -> None:
        self._code = code
        self._runs = runs
        pools: Pools[None] = Pools(
            lambda _partition, _kind: None,
            what=f"PYTHON engines of {context.app} {context.version}",
            partitions=context.partitions,
            sizes=context.pool_sizes,
            patience=context.patience,
        )
        self._pools = dict(pools.items())
        self._reports: Sequence[FreeReport] | None = None

    @property
    def names(self) -> frozenset[str]:
        """The qualified names of the extensions that it runs."""
        return frozenset(self._runs)

    def module(self, name: str) -> ModuleType:
        """Return a module of the code by the name that its author knows, `bills.extensions.money`.

        Raises:
            ModuleNotFoundError: there is none.

        """
        return self._code.import_module(name)

    def invoke(self, name: str, state: State, call: CallContext, *, partition: int, kind: Scope) -> None:  # noqa: ARG002 - the state knows the call
        """Run one extension to its end."""
        pool = self._pools[partition, kind]
        taken = pool.take()
        try:
            self._runs[name](state)
        finally:
            pool.give(taken)

    def pool(self, partition: int, kind: Scope) -> Pool[None]:
        """Return those of its engines that run what is of *kind* in a partition."""
        return self._pools[partition, kind]

    def free(self) -> Sequence[FreeReport]:
        """Remove every module of the image from the process, and report it; again, if asked again."""
        if self._reports is None:
            self._runs = {}
            self._reports = (self._code.free(),)
        return self._reports


def open_python(context: EngineContext) -> PythonEngine:
    """Load the functions of the image's `extensions/` folders; their modules' code runs in this call.

    Raises:
        DeployError: with one line in `problems` for everything that does not match or cannot be loaded;
            nothing stays loaded then.

    """
    try:
        code = load_sources(context)
    except PluginError as error:
        raise DeployError(error.message, problems=[str(error)], hint=error.hint) from error
    try:
        imported = import_modules(code, context.redact)
        functions, unmatched = find_functions(context.appdef, code, imported)
        extensions = {str(name): extension for name, extension in context.appdef.extensions.items()}
        runs = {
            name: compile_runner(context, code.file, extensions[name], function)
            for name, function in functions.items()
        }
    except BaseException:
        code.free()
        raise
    problems = [*imported.problems, *unmatched]
    if problems:
        code.free()
        raise DeployError(
            f"the Python code of {context.app} {context.version} cannot be used: {problems[0]}",
            problems=problems,
        )
    return PythonEngine(context, code, runs)
