from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural, printable

if TYPE_CHECKING:
    from statehold.hosting import Leaking


@click.command("quarantine")
@click.option("--lift", metavar="NAME", help="Let the plugins of this distribution run in the host again.")
@click.option("--app", metavar="APP", help="Of this app only.")
@host_command
def command(out: Output, options: HostOptions, *, lift: str | None, app: str | None) -> None:
    """List the plugins that leak, and so run in a sidecar.

    These did not die when they were freed, three times in a row. One that is lifted is loaded into the host's
    process again when its app is opened the next time. If it leaks again, it comes back.
    """
    by_http = "GET /metrics has statehold_quarantined; to lift one it is stopped"
    with options.open(out, apps=(), by_http=by_http) as host:
        lifted = () if lift is None else host.quarantine.lift(lift, app)
        found = host.quarantine.listed(app)
    documents = {"quarantine": list(map(_document, found)), "lifted": list(map(_document, lifted))}
    out.document({"data": options.data, **documents})
    for one in lifted:
        out.done(f"{printable(one.distribution)} of {one.app} may run in the host's process again")
    if lifted:
        return
    for one in found:
        since = datetime.fromtimestamp(one.since, UTC).strftime("%Y-%m-%d %H:%M")
        out.line(f"{one.app}  {printable(f'{one.distribution} {one.version}')}  since {since}")
        out.line(f"  freed {one.frees} times in a row, it did not die; still there, the last time:")
        for line in one.why.split("; "):
            out.line(f"    {printable(line)}")
    if found:
        out.line()
    out.line(f"{plural(len(found), 'plugin')} in quarantine in {options.data}")


def _document(one: Leaking) -> dict[str, object]:
    return {
        "app": one.app,
        "distribution": one.distribution,
        "version": one.version,
        "sha256": one.sha256,
        "frees": one.frees,
        "since": one.since,
        "why": one.why,
    }
