"""What a storage author tests with: a conformance kit to subclass, and real contexts to open storages in.

Nothing is imported before it is used, because pytest loads this package in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statehold.testing._app import MemoryApp
    from statehold.testing._clock import FakeClock
    from statehold.testing._conformance import StorageConformance
    from statehold.testing._context import context
    from statehold.testing._denied import assert_denied
    from statehold.testing._level import Level
    from statehold.testing._open import OpenStorage, open_storage
    from statehold.testing._work import Work

__all__ = [
    "FakeClock",
    "Level",
    "MemoryApp",
    "OpenStorage",
    "StorageConformance",
    "Work",
    "assert_denied",
    "context",
    "open_storage",
]

_HOMES = {
    "FakeClock": "_clock",
    "Level": "_level",
    "MemoryApp": "_app",
    "OpenStorage": "_open",
    "StorageConformance": "_conformance",
    "Work": "_work",
    "assert_denied": "_denied",
    "context": "_context",
    "open_storage": "_open",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("hypothesis", "pytest"):
            raise ModuleNotFoundError(
                f"statehold.testing.{name} needs {error.name}: pip install 'statehold[testing]'",
                name=error.name,
            ) from error
        raise
