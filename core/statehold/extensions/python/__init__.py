"""Runs extensions that are Python functions of the image: EXTENSION ENGINE PYTHON."""

from __future__ import annotations

from statehold.extensions.python._call import Call
from statehold.extensions.python._compile import RESERVED, compile_call
from statehold.extensions.python._engine import PythonEngine, open_python
from statehold.extensions.python._helpers import Log
from statehold.extensions.python._names import attribute_paths
from statehold.extensions.python._runner import compile_runner
from statehold.extensions.python._sources import top_name
from statehold.extensions.python._storage import Storage
from statehold.extensions.python._taker import compile_taker

__all__ = [
    "RESERVED",
    "Call",
    "Log",
    "PythonEngine",
    "Storage",
    "attribute_paths",
    "compile_call",
    "compile_runner",
    "compile_taker",
    "open_python",
    "top_name",
]
