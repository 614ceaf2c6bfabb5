"""The command line; `statehold --help` says what there is.

A plugin brings commands of its own as entry points of the group `statehold.commands`, each a click command;
`common` gives them `--json` and `--debug`, and an `Output` to write to.
"""

from __future__ import annotations

from statehold.cli._main import main, run
from statehold.cli._options import common
from statehold.cli._output import Output

__all__ = ["Output", "common", "main", "run"]
