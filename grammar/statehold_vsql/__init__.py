"""VSQL: the language in which an application declares its storages and who may use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statehold_vsql._contract import Contract
from statehold_vsql._diagnostic import Diagnostic, Severity
from statehold_vsql._fields import DataType, Field
from statehold_vsql._words import (
    ExtensionEngine,
    ExtensionKind,
    Operation,
    Scope,
    StorageEngine,
)

if TYPE_CHECKING:
    from statehold_vsql._compile import Compilation, compile_app

__all__ = [
    "Compilation",
    "Contract",
    "DataType",
    "Diagnostic",
    "ExtensionEngine",
    "ExtensionKind",
    "Field",
    "Operation",
    "Scope",
    "Severity",
    "StorageEngine",
    "compile_app",
]


def __getattr__(name: str) -> object:
    # Whoever needs only the words takes no parser with them.
    if name in ("Compilation", "compile_app"):
        from statehold_vsql import _compile  # noqa: PLC0415

        return getattr(_compile, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
