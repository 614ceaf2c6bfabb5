"""The command line; `statehold --help` says what there is.

A plugin brings commands of its own as entry points of the group `statehold.commands`, each a click command;
`common` gives them `--json` and `--debug`, and an `Output` to write to. One that shows what a plugin can do
tells it by a `Teller`.
"""

from __future__ import annotations

from statehold.cli._logs import heard_by, silence
from statehold.cli._main import main, run
from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._staging import orderly
from statehold.cli._teller import Picture, Teller, Told

__all__ = ["Output", "Picture", "Teller", "Told", "common", "heard_by", "main", "orderly", "run", "silence"]
