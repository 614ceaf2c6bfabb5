"""Runs extensions that are Python functions of the image: EXTENSION ENGINE PYTHON."""

from __future__ import annotations

from statehold.extensions.python._engine import PythonEngine, open_python

__all__ = ["PythonEngine", "open_python"]
