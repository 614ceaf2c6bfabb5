"""Writes `vsql.tables` from `vsql.lark`: what `make tables` runs."""

from __future__ import annotations

from pathlib import Path

import statehold_vsql
from statehold_vsql.syntax._building import build_tables
from statehold_vsql.syntax._tables import encode

if __name__ == "__main__":
    folder = Path(statehold_vsql.__file__).parent
    grammar = folder.joinpath("vsql.lark").read_text("utf-8")
    folder.joinpath("vsql.tables").write_text(encode(build_tables(grammar), grammar=grammar), "utf-8")
