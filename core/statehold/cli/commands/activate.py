from __future__ import annotations

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output


@click.command("activate")
@app_argument
@click.argument("version")
@host_command
def command(out: Output, options: HostOptions, app: str, version: str) -> None:
    """Make a deployed VERSION of APP the current one."""
    with options.open(out, apps=[app]) as host, out.progress(f"activating {app} {version}"):
        name = host.activate(app, version).name
    out.document({"app": app, "current": name})
    out.done(f"{app} {name} is current")
