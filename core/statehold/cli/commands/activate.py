from __future__ import annotations

from typing import Any

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output


@click.command("activate")
@app_argument
@click.argument("version")
@click.option("--accept-breaking", is_flag=True, help="Do it though its declarations break what there is.")
@click.option("--to", "url", metavar="URL", help="Ask the server that runs there on this data folder.")
@host_command
def command(
    out: Output, options: HostOptions, app: str, version: str, *, accept_breaking: bool, url: str | None
) -> None:
    """Make a deployed VERSION of APP the current one."""
    from statehold.cli._sending import Server  # noqa: PLC0415

    by_http = f"statehold activate {app} {version} --to URL"
    with out.progress(f"activating {app} {version}") as show:
        if url is not None:

            def tell(_stage: str, text: str, _figures: Any) -> None:
                show(text)

            server = Server(url=url, data=options.data, app=app)
            name = server.activate(version, accept_breaking=accept_breaking, tell=tell)["version"]
        else:
            with options.open(out, apps=[app], by_http=by_http) as host:
                name = host.activate(app, version, accept_breaking=accept_breaking).name
    out.document({"app": app, "current": name})
    out.done(f"{app} {name} is current")
