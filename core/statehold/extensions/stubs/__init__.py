"""Writes the calls of Python extensions as typed stubs, for editors and type checkers."""

from __future__ import annotations

from statehold.extensions.stubs._module import STUBS, write_stubs

__all__ = ["STUBS", "write_stubs"]
