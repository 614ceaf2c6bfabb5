"""What the package `sys` tells a host: its declarations, and the contracts of its builtin storages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from statehold.sdk import Contract, hookimpl
from statehold_sys.contracts import CONTRACTS


@hookimpl
def statehold_packages() -> Mapping[str, Mapping[str, str]]:
    """Return the declarations of package `sys`."""
    text = files("statehold_sys").joinpath("sys.vsql").read_text(encoding="utf-8")
    return {"sys": {"sys.vsql": text}}


@hookimpl
def statehold_contracts() -> Mapping[str, Contract]:
    """Return the contracts of all builtin storages, also of those that have no provider yet."""
    return CONTRACTS
