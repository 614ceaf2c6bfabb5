from __future__ import annotations

from wasmtime import TrapCode


class GuestError(Exception):
    """The guest broke the ABI or a limit, trapped, or ended itself; becomes a CodeError.

    `hint` says how to mend it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ExhaustedError(GuestError):
    """The guest ran out of memory."""


class TrapError(GuestError):
    """The guest trapped.

    Attributes:
        code: why, as wasmtime has it; None where it does not say.
        functions: the functions that were being called, the innermost first; empty names for those without.

    """

    def __init__(self, message: str, *, code: TrapCode | None, functions: tuple[str, ...]) -> None:
        super().__init__(message)
        self.code = code
        self.functions = functions
