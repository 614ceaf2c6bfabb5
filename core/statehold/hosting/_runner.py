from __future__ import annotations

from collections.abc import Callable

from statehold.extensions import Engine
from statehold.hosting._errors import NotProvidedError
from statehold.sdk import CallContext, FreedError, Scope
from statehold.state import BundledState, State, Uses
from statehold_vsql.appdef import ExtensionDef


class Runner:
    """One extension of one partition, ready to be called by any number of threads.

    Attributes:
        definition: what the app declares.
        scope: COMMANDS, QUERIES, PROJECTORS or JOBS.
        uses: the storages that it uses.

    """

    __slots__ = ("_engine", "_kind", "_name", "_partition", "definition", "scope", "uses")

    def __init__(
        self, definition: ExtensionDef, scope: Scope, uses: Uses, engine: Engine | None, *, partition: int
    ) -> None:
        self.definition = definition
        self.scope = scope
        self.uses = uses
        self._name = str(definition.name)
        # A sync projector runs on the engines of the command that woke it.
        self._kind = Scope.COMMANDS if definition.sync else scope
        self._engine = engine
        self._partition = partition

    @property
    def is_provided(self) -> bool:
        """Whether this host has its code."""
        return self._engine is not None

    def state(self, call: CallContext, *, limit: int = 1000) -> State:
        """Return what one call sees of the storages; it may ask for *limit* changes."""
        return State(self.uses, call, limit=limit)

    def bundled_state(
        self,
        call: CallContext,
        *,
        limit: int = 1000,
        bundle_limit: int = 100,
        flush: Callable[[BundledState], object],
    ) -> BundledState:
        """Return the state of an asynchronous projector, which is bound to one event's call after another."""
        return BundledState(self.uses, call, limit=limit, bundle_limit=bundle_limit, flush=flush)

    def invoke(self, state: State, call: CallContext) -> None:
        """Run the extension to its end; what it asks for are intents of *state* afterwards.

        Raises:
            NotProvidedError: this host does not have its code.
            NoEngineError: no engine got free in time.
            CodeError: it failed.
            StateholdError: what storages raised, as it was.
            FreedError: the version has been freed.

        """
        engine = self._engine
        if engine is None:
            self._refuse()
        else:
            engine.invoke(self._name, state, call, partition=self._partition, kind=self._kind)

    def close(self) -> None:
        """Let go of engine and storages; the host calls it."""
        self._engine = None
        self.uses.close()

    def _refuse(self) -> None:
        if self.uses.is_closed:
            raise FreedError(
                f"{self.definition.kind} {self._name}: its version has been freed",
                hint="Borrow the partition again: the current version answers there",
            )
        raise NotProvidedError(
            f"{self.definition.kind} {self._name} is not provided by this host: the app's sys declares it as "
            "BUILTIN, and nothing installed brings its code",
            extension=self._name,
            hint="Install a plugin whose hook statehold_extensions returns it",
        )

    def __repr__(self) -> str:
        return f"<{self.definition.kind} {self._name} in partition {self._partition}>"
