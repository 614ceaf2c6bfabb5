from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import wasmtime

from statehold.extensions._compare import compare, declared
from statehold.extensions._engine import EngineContext
from statehold.extensions._errors import CodeError
from statehold.extensions._failure import failure
from statehold.extensions._pools import Pool, Pools
from statehold.extensions.wasm._errors import ExhaustedError, GuestError
from statehold.extensions.wasm._keys import Targets
from statehold.extensions.wasm._limits import WasmLimits
from statehold.extensions.wasm._module import Module, load_module
from statehold.extensions.wasm._packages import Packages
from statehold.extensions.wasm._session import Session
from statehold.extensions.wasm._values import Fields
from statehold.images import plain
from statehold.loading import FreeReport
from statehold.loading.wasm.machine import Ticker, aside, check_wasmtime, new_engine
from statehold.sdk import CallContext, DeployError, Scope, StateholdError
from statehold.state import State
from statehold_vsql import ExtensionEngine

_LIMITS: Final = WasmLimits()

#: One engine of a pool: an instance for each module that has been needed, by the module's path.
_Instances = dict[str, Session]


@attrs.frozen(kw_only=True, eq=False)
class _Extension:
    """An export that can be called."""

    who: str
    module: Module
    export: str
    targets: Targets


class WasmEngine:
    """Runs the exports of the image's WebAssembly modules, each call in an instance of its own pool.

    An instance that failed is replaced. One that ran out of memory is, too, and the call is tried once more
    if it had not used its state yet.
    """

    def __init__(
        self,
        context: EngineContext,
        engine: wasmtime.Engine,
        modules: Sequence[Module],
        extensions: dict[str, _Extension],
    ) -> None:
        self._extensions = extensions
        self._engine = engine
        self._modules = modules
        self._logger = context.logger
        self._redact = context.redact
        self._packages = Packages(context.appdef.packages)
        self._fields = Fields()
        self._time = Ticker(engine.increment_epoch)
        self._pools: Pools[_Instances] = Pools(
            lambda _partition, _kind: {},
            what=f"WASM engines of {context.app} {context.version}",
            partitions=context.partitions,
            sizes=context.pool_sizes,
            patience=context.patience,
        )

    @property
    def names(self) -> frozenset[str]:
        """The qualified names of the extensions that it runs."""
        return frozenset(self._extensions)

    def invoke(self, name: str, state: State, call: CallContext, *, partition: int, kind: Scope) -> None:  # noqa: ARG002 - the state has the call
        """Run one extension to its end."""
        aside(lambda: self._invoke(name, state, self._pools[partition, kind], kind))

    def pool(self, partition: int, kind: Scope) -> Pool[_Instances]:
        """Return those of its engines that run what is of *kind* in a partition."""
        return self._pools[partition, kind]

    def free(self) -> Sequence[FreeReport]:
        """Release every instance and module, and end the thread."""
        for instances in self._pools.close():
            for session in instances.values():
                session.close()
            instances.clear()
        self._time.end()
        for module in self._modules:
            module.code.close()
        self._engine.close()
        self._extensions = {}
        return ()

    def try_out(self) -> list[str]:
        """Start each module once, and return why those that do not start do not."""
        problems = []
        for module in self._modules:
            try:
                aside(lambda: self._session(module).close())  # noqa: B023 - called at once
            except GuestError as error:
                problems.append(self._redact(f"{module.path}: it does not start: {_sentence(error)}"))
        return problems

    def _invoke(self, name: str, state: State, pool: Pool[_Instances], kind: Scope) -> None:
        extension = self._extensions[name]
        instances = pool.take()
        try:
            if not self._run(instances, extension, name, state, kind, last=False):
                self._run(instances, extension, name, state, kind, last=True)
        finally:
            pool.give(instances)

    def _run(
        self,
        instances: _Instances,
        extension: _Extension,
        name: str,
        state: State,
        kind: Scope,
        *,
        last: bool,
    ) -> bool:
        """Run an extension; return False if it is to be tried once more."""
        path = extension.module.path
        session = instances.get(path)
        try:
            if session is None:
                session = instances[path] = self._session(extension.module)
            session.run(extension.export, state, extension.targets, extension.module.limits.seconds[kind])
        except BaseException as error:
            self._tell(extension, session)
            self._drop(instances, path)
            if isinstance(error, ExhaustedError) and session is not None and not last and not session.asked:
                return False
            if isinstance(error, GuestError):
                raise CodeError(
                    self._redact(f"{extension.who} failed: {error}"),
                    extension=name,
                    place=path,
                    hint=error.hint,
                ) from error
            if isinstance(error, StateholdError) or not isinstance(error, Exception):
                raise
            failed = failure(extension.who, error, extension=name, redact=self._redact)
            raise failed from failed.__cause__
        self._tell(extension, session)
        if session.is_worn:
            self._drop(instances, path)
        return True

    def _tell(self, extension: _Extension, session: Session | None) -> None:
        if session is not None and session.printed:
            self._logger.debug("%s printed: %s", extension.who, plain(self._redact(session.printed)))

    def _session(self, module: Module) -> Session:
        return Session(
            self._engine,
            module,
            packages=self._packages,
            fields=self._fields,
            time=self._time,
        )

    @staticmethod
    def _drop(instances: _Instances, path: str) -> None:
        session = instances.pop(path, None)
        if session is not None:
            session.close()


def open_wasm(context: EngineContext, *, limits: WasmLimits = _LIMITS) -> WasmEngine:
    """Compile the modules of the image, check them against the ABI and the declarations, and start each once.

    Raises:
        DeployError: with one line in `problems` for everything that does not match or does not work.
        StateholdError: the wasmtime that is installed is another one than the host is made for.

    """
    check_wasmtime()
    engine = new_engine()
    packages = Packages(context.appdef.packages)
    locals_ = {path: local for local, path in context.appdef.packages.items()}
    modules: dict[str, Module] = {}
    problems: list[str] = []
    unusable = set()
    for package, path in context.image.wasm.items():
        if package not in locals_:
            continue
        local = locals_[package]
        own = limits.set_by(context.settings.get(local))
        module, found = load_module(engine, path, context.image.read(path), own)
        problems += found
        if module is None:
            unusable.add(local)
        else:
            modules[local] = module
    exports = {
        f"{local}.{name}": module.path for local, module in modules.items() for name in module.extensions
    }
    wanted = declared(context.appdef, ExtensionEngine.WASM)
    # Of a module that cannot be looked into, nothing is known to be missing.
    unseen = {name: "" for name in wanted if name.rpartition(".")[0] in unusable}
    problems += compare(context.appdef, ExtensionEngine.WASM, {**exports, **unseen}, what="export")
    extensions = {
        name: _Extension(
            who=f"{extension.kind} {name}",
            module=modules[extension.name.package],
            export=extension.name.name,
            targets=Targets(context.uses.get(name, ()), packages),
        )
        for name, extension in wanted.items()
        if name in exports
    }
    made = WasmEngine(context, engine, list(modules.values()), extensions)
    try:
        problems += made.try_out()
    except BaseException:
        made.free()
        raise
    if problems:
        made.free()
        raise DeployError(
            f"{context.app} {context.version} cannot be deployed: its WebAssembly has "
            f"{len(problems)} problem{'s' if len(problems) > 1 else ''}",
            problems=problems,
        )
    return made


def _sentence(error: GuestError) -> str:
    return f"{error}. {error.hint}" if error.hint else str(error)
