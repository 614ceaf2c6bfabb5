from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural, printable

_to = click.option("--to", "url", metavar="URL", help="Ask the server that runs there on this data folder.")
_app = click.option("--app", metavar="APP", help="Of this app only.")


@click.group("quarantine")
def command() -> None:
    """List the plugins that leak, and so run in a sidecar, or let one back in.

    These did not die when they were freed, three times in a row.
    """


@command.command("list")
@_app
@_to
@host_command
def list_(out: Output, options: HostOptions, *, app: str | None, url: str | None) -> None:
    """List the plugins that are in quarantine, and what holds them."""
    from statehold.cli._sending import Server  # noqa: PLC0415

    if url is not None:
        found = Server(url=url, data=options.data, app=app or "*").quarantine()["quarantine"]
    else:
        with options.open(out, apps=(), by_http="statehold quarantine list --to URL") as host:
            found = [one.to_json() for one in host.quarantine.listed(app)]
    out.document({"data": options.data, "quarantine": found})
    for one in found:
        _show(out, one)
    if found:
        out.line()
    where = f"in {options.data}" if url is None else f"at {url}"
    out.line(f"{plural(len(found), 'plugin')} in quarantine {where}")


@command.command("lift")
@click.argument("name")
@_app
@_to
@host_command
def lift(out: Output, options: HostOptions, *, name: str, app: str | None, url: str | None) -> None:
    """Let the plugins of the distribution NAME run in the host's process again.

    They are loaded there when their app is opened the next time. If they leak again, they come back.
    """
    from statehold.cli._sending import Server  # noqa: PLC0415

    if url is not None:
        lifted = Server(url=url, data=options.data, app=app or "*").lift(name)["lifted"]
    else:
        with options.open(out, apps=(), by_http=f"statehold quarantine lift {name} --to URL") as host:
            lifted = [one.to_json() for one in host.quarantine.lift(name, app)]
    out.document({"data": options.data, "lifted": lifted})
    for one in lifted:
        out.done(
            f"{printable(one['distribution'])} of {one['app']} may run in the host's process again, from the "
            "next deploy, roll-back or start on"
        )


def _show(out: Output, one: dict[str, Any]) -> None:
    since = datetime.fromtimestamp(one["since"], UTC).strftime("%Y-%m-%d %H:%M")
    what = printable(f"{one['distribution']} {one['version']}")
    out.line(f"{one['app']}  {what}  since {since}")
    out.line(f"  freed {one['frees']} times in a row, it did not die; still there, the last time:")
    for line in one["why"].split("; "):
        out.line(f"    {printable(line)}")
