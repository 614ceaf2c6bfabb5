from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from statehold_vsql import Diagnostic, Operation, Scope


class StateholdError(Exception):
    """The root of every error that Statehold raises on purpose.

    The message says who, what, what was expected and what was got; `hint` how to mend it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message = message
        self.hint = hint


class ScopeError(StateholdError):
    """An operation was used in a scope that the declaration does not permit."""

    def __init__(
        self,
        message: str,
        *,
        storage: str,
        operation: Operation,
        scope: Scope | None,
        who: str,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.storage = storage
        self.operation = operation
        self.scope = scope
        self.who = who


class SchemaError(StateholdError):
    """A key or a value does not fit the schema of its storage."""

    def __init__(
        self, message: str, *, storage: str, field: str, expected: str, got: Any, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.storage = storage
        self.field = field
        self.expected = expected
        self.got = got


class StorageError(StateholdError):
    """A storage refused or failed; raise it, or a subclass, from plugin code."""


class FreedError(StateholdError):
    """A storage was used after its version had been freed."""


class CompileError(StateholdError):
    """The declarations of an app have errors; `diagnostics` holds every one."""

    def __init__(self, message: str, *, diagnostics: Sequence[Diagnostic] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.diagnostics = tuple(diagnostics)


class _ProblemsError(StateholdError):
    """Tells all that was found, not only the first: `problems` holds one line for each."""

    def __init__(self, message: str, *, problems: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class ImageError(_ProblemsError):
    """An app image is damaged, incomplete, hostile or not an image at all."""


class DescriptorError(_ProblemsError):
    """A deployment descriptor, a parameter or a secret is wrong or missing."""


class PluginError(StateholdError):
    """A plugin cannot be found, cannot be loaded, or claims what another one has."""


class DeployError(_ProblemsError):
    """A version cannot be deployed; what ran before goes on."""


class HostError(StateholdError):
    """The host cannot do what it was asked: no such app, version or partition, or a folder in use."""
