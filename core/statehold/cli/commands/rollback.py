from __future__ import annotations

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output


@click.command("rollback")
@app_argument
@host_command
def command(out: Output, options: HostOptions, app: str) -> None:
    """Make the previous version of APP current again."""
    with options.open(out, apps=[app]) as host, out.progress(f"rolling {app} back"):
        name = host.rollback(app).name
    out.document({"app": app, "current": name})
    out.done(f"{app} {name} is current again")
