"""Runs the code of an application: the functions of its commands, queries, projectors and jobs."""

from __future__ import annotations

from statehold.extensions._compare import compare
from statehold.extensions._engine import Engine, EngineContext, Use
from statehold.extensions._engines import Engines, open_engines
from statehold.extensions._errors import CodeError, NoEngineError
from statehold.extensions._pools import Pool, Pools

__all__ = [
    "CodeError",
    "Engine",
    "EngineContext",
    "Engines",
    "NoEngineError",
    "Pool",
    "Pools",
    "Use",
    "compare",
    "open_engines",
]
