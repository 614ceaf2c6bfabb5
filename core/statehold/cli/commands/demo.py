from __future__ import annotations

import click

from statehold.cli._options import common
from statehold.cli._output import Output


@click.command("demo")
@common
def command(out: Output) -> None:
    """Show all of it on a real application, in seconds.

    It works in a temporary folder and leaves nothing behind. The exit code is 1 where a step does not do
    what it says.
    """
    from statehold.cli.demo import tell  # noqa: PLC0415

    tell(out)
