from __future__ import annotations

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output


@click.command("undeploy")
@app_argument
@click.option("--version", help="Only this version; it must not be the current one.")
@host_command
def command(out: Output, options: HostOptions, app: str, version: str | None) -> None:
    """Forget APP, or one version of it.

    The rows of its storages stay in the data folder.
    """
    with options.open(out, apps=()) as host, out.progress(f"undeploying {app}"):
        host.undeploy(app, version)
    out.document({"app": app, "version": version})
    out.done(f"{app} {version} is gone" if version else f"{app} is gone")
