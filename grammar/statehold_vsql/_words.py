from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What can be done with a storage."""

    GET = "GET"
    GETBATCH = "GETBATCH"
    READ = "READ"
    INSERT = "INSERT"
    UPDATE = "UPDATE"

    @property
    def is_intent(self) -> bool:
        """Whether the operation asks for a change; the others read state."""
        return self in (Operation.INSERT, Operation.UPDATE)


class Scope(StrEnum):
    """Who may use an operation: one kind of extension."""

    COMMANDS = "COMMANDS"
    QUERIES = "QUERIES"
    PROJECTORS = "PROJECTORS"
    JOBS = "JOBS"


class ExtensionKind(StrEnum):
    """A kind of app code that uses storages, or is called by it."""

    COMMAND = "COMMAND"
    QUERY = "QUERY"
    PROJECTOR = "PROJECTOR"
    JOB = "JOB"
    FUNCTION = "FUNCTION"

    @property
    def scope(self) -> Scope | None:
        """The scope this kind of extension acts in; None for functions, which use no storage."""
        return _SCOPES.get(self)


_SCOPES = {
    ExtensionKind.COMMAND: Scope.COMMANDS,
    ExtensionKind.QUERY: Scope.QUERIES,
    ExtensionKind.PROJECTOR: Scope.PROJECTORS,
    ExtensionKind.JOB: Scope.JOBS,
}


class ExtensionEngine(StrEnum):
    """What runs an extension."""

    BUILTIN = "BUILTIN"
    PYTHON = "PYTHON"
    WASM = "WASM"


class StorageEngine(StrEnum):
    """Where a storage's provider comes from."""

    BUILTIN = "BUILTIN"
    PYPLUGIN = "PYPLUGIN"
    GOPLUGIN = "GOPLUGIN"
    WASM = "WASM"
