from __future__ import annotations

from collections.abc import Sequence

from statehold.extensions._engine import EngineContext
from statehold.loading import FreeReport
from statehold.sdk import CallContext, Scope
from statehold.state import State


class PythonEngine:
    """Runs the functions of the image's `extensions/` folders, in a private namespace of the app version."""

    names: frozenset[str]

    def invoke(self, name: str, state: State, call: CallContext, *, partition: int, kind: Scope) -> None:
        """Run one extension to its end."""
        raise NotImplementedError

    def free(self) -> Sequence[FreeReport]:
        """Remove every module of the image from the process."""
        raise NotImplementedError


def open_python(context: EngineContext) -> PythonEngine:
    """Load the functions of the image's `extensions/` folders.

    Raises:
        DeployError: with one line in `problems` for everything that does not match or cannot be loaded.

    """
    raise NotImplementedError
