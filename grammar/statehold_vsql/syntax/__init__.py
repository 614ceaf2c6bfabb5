"""The syntax of VSQL: from text to a tree with positions, with every syntax error in one run."""

from __future__ import annotations

from statehold_vsql.syntax._parse import parse_file
from statehold_vsql.syntax._parsed import Parsed

__all__ = ["Parsed", "parse_file"]
