from __future__ import annotations

from collections.abc import Sequence

from statehold.extensions._compare import declared
from statehold.extensions._engine import EngineContext
from statehold.extensions._failure import failure
from statehold.extensions._pools import Pool, Pools
from statehold.loading import FreeReport
from statehold.sdk import CallContext, Scope, StateholdError
from statehold.state import State
from statehold_vsql import ExtensionEngine


class BuiltinEngine:
    """Runs extensions that come with the host and its plugins: `function(state, call)`.

    A function that the app does not declare is of no concern to it.
    """

    def __init__(self, context: EngineContext) -> None:
        self._functions = {
            name: context.functions[name]
            for name in declared(context.appdef, ExtensionEngine.BUILTIN)
            if name in context.functions
        }
        self._kinds = {str(name): extension.kind for name, extension in context.appdef.extensions.items()}
        self._redact = context.redact
        self._pools: Pools[None] = Pools(
            lambda _partition, _kind: None,
            what=f"BUILTIN engines of {context.app} {context.version}",
            partitions=context.partitions,
            sizes=context.pool_sizes,
            patience=context.patience,
        )

    @property
    def names(self) -> frozenset[str]:
        """The qualified names of the extensions that it runs."""
        return frozenset(self._functions)

    def invoke(self, name: str, state: State, call: CallContext, *, partition: int, kind: Scope) -> None:
        """Run one extension to its end."""
        pool = self._pools[partition, kind]
        taken = pool.take()
        try:
            self._functions[name](state, call)
        except (StateholdError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit, too: it is the function's, and the host goes on
            failed = failure(f"{self._kinds[name]} {name}", error, extension=name, redact=self._redact)
            raise failed from failed.__cause__
        finally:
            pool.give(taken)

    def pool(self, partition: int, kind: Scope) -> Pool[None]:
        """Return those of its engines that run what is of *kind* in a partition."""
        return self._pools[partition, kind]

    def free(self) -> Sequence[FreeReport]:
        """Forget the functions."""
        self._functions = {}
        return ()
