"""The meaning of VSQL: every name resolved, every rule checked, all independent errors in one run."""

from __future__ import annotations

from statehold_vsql.semantics._analyse import analyse
from statehold_vsql.semantics._model import Package, SourceFile
from statehold_vsql.semantics._report import Report

__all__ = ["Package", "Report", "SourceFile", "analyse"]
