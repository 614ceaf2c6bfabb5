from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from statehold.extensions._pools import Pool
from statehold.images import AppImage, ExtensionSettings
from statehold.loading import FreeReport
from statehold.sdk import CallContext, Operation, Scope
from statehold.state import Rows, State
from statehold_vsql.appdef import AppDef


@attrs.frozen(kw_only=True, eq=False)
class Use:
    """A storage, or one entity of a storage, as an extension may use it: known before any is open.

    `allowed` is what the extension's STATE and INTENTS and the declaration permit together.
    """

    storage: str
    entity: str | None = None
    rows: Rows
    allowed: frozenset[Operation]


def _as_it_is(text: str) -> str:
    return text


@attrs.frozen(kw_only=True, eq=False)
class EngineContext:
    """All that an engine gets when a version of an app is made ready.

    Attributes:
        app: `owner.app`.
        version: the version's name.
        appdef: its declarations.
        image: its files; to be read while the engine is opened, not later.
        uses: for every extension by its qualified name, what it may use, as its states' slots will be:
            the same `Rows`, in the same order.
        partitions: how many partitions the app has, numbered from 0.
        pool_sizes: how many calls of each kind may run at once in one partition.
        settings: what the operator says about the extensions of a package, by its local name.
        patience: how many seconds a call waits for a free engine.
        functions: the BUILTIN extensions of this host, by qualified name: `function(state, call)`.
        logger: what the engine itself has to say.
        redact: takes the app's secrets out of a text.
        place: what stands before the paths of the image's files in tracebacks; by default app and version.

    """

    app: str
    version: str
    appdef: AppDef
    image: AppImage
    uses: Mapping[str, Sequence[Use]]
    partitions: int
    pool_sizes: Mapping[Scope, int]
    settings: Mapping[str, ExtensionSettings] = attrs.field(factory=dict)
    patience: float = 5.0
    functions: Mapping[str, Callable[[State, CallContext], Any]] = attrs.field(factory=dict)
    logger: logging.Logger
    redact: Callable[[str], str] = _as_it_is
    place: str = ""


class Engine(Protocol):
    """Runs those extensions of one app version that are written for it; calls come from any thread.

    An engine is opened by `open(context: EngineContext) -> Engine`, which raises a DeployError with all
    `problems` where code and declarations do not match, and then leaves nothing behind.
    """

    @property
    def names(self) -> frozenset[str]:
        """The qualified names of the extensions that it runs."""

    def invoke(self, name: str, state: State, call: CallContext, *, partition: int, kind: Scope) -> None:
        """Run one extension to its end; what it asks for are intents of *state* afterwards.

        A query's results go to `call.result` one by one, as they are made. *kind* says whose engines are
        taken: a sync projector runs on those of COMMANDS, like the command that woke it.

        Raises:
            NoEngineError: no engine got free in time.
            CodeError: the extension failed.
            StateholdError: what storages and facades raised, as it was.

        """

    def pool(self, partition: int, kind: Scope) -> Pool[Any]:
        """Return those of its engines that run what is of *kind* in a partition."""

    def free(self) -> Sequence[FreeReport]:
        """Give back everything, after the last call has returned; report what was loaded as Python."""
