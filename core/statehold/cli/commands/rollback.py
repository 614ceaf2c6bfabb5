from __future__ import annotations

from typing import Any

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output
from statehold.cli._steps import steps


@click.command("rollback")
@app_argument
@click.option("--to", "url", metavar="URL", help="Ask the server that runs there on this data folder.")
@host_command
def command(out: Output, options: HostOptions, app: str, *, url: str | None) -> None:
    """Make the previous version of APP current again.

    Each step is shown, as `upgrade` does.
    """
    from statehold.cli._sending import Server  # noqa: PLC0415

    with steps(out, lines=False) as tell:
        if url is not None:
            name = Server(url=url, data=options.data, app=app).rollback(tell=tell)["version"]
        else:

            def progress(step: Any) -> None:
                tell(step.stage, str(step), step.figures)

            by_http = f"statehold rollback {app} --to URL"
            with options.open(out, apps=[app], by_http=by_http) as host, host.following(app, progress):
                name = host.rollback(app, progress=progress).name
    out.document({"app": app, "current": name})
    out.done(f"{app} {name} is current again")
