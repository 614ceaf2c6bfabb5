"""The command line; `statehold --help` says what there is."""

from __future__ import annotations

from statehold.cli._main import main, run

__all__ = ["main", "run"]
