from __future__ import annotations

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output
from statehold.cli._steps import steps


@click.command("undeploy")
@app_argument
@click.option("--version", help="Only this version; it must not be the current one.")
@click.option("--to", "url", metavar="URL", help="Ask the server that runs there on this data folder.")
@host_command
def command(out: Output, options: HostOptions, app: str, *, version: str | None, url: str | None) -> None:
    """Forget APP, or one version of it.

    Calls in flight end on it before it is freed. The rows of its storages stay in the data folder.
    """
    from statehold.cli._sending import Server  # noqa: PLC0415

    if url is not None:
        with steps(out, lines=False) as tell:
            Server(url=url, data=options.data, app=app).undeploy(version, tell=tell)
    else:
        only = f" --version {version}" if version else ""
        by_http = f"statehold undeploy {app}{only} --to URL"
        with options.open(out, apps=(), by_http=by_http) as host, out.progress(f"undeploying {app}"):
            host.undeploy(app, version)
    out.document({"app": app, "version": version})
    out.done(f"{app} {version} is gone" if version else f"{app} is gone")
