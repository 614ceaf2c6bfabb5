from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural

if TYPE_CHECKING:
    from statehold.hosting import AppStatus

_COLORS = {"current": "green", "ready": "cyan", "failed": "red"}


@click.command("apps")
@host_command
def command(out: Output, options: HostOptions) -> None:
    """List the deployed apps and their versions."""
    by_http = (
        "GET /api/v2/apps/OWNER/APP/versions, with the token of `statehold token APP --role sys.ClusterAdmin`"
    )
    with options.open(out, apps=(), by_http=by_http) as host:
        apps = host.apps()
        held: dict[str, list[str]] = {}
        for leaking in host.quarantine.listed():
            held.setdefault(leaking.app, []).append(leaking.distribution)
    out.document({"data": options.data, "apps": [_document(app, held.get(app.app, [])) for app in apps]})
    if not apps:
        out.line(f"No apps in {options.data}. Deploy one: statehold deploy IMAGE")
        return
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("app", "version", "state", "partitions", "deployed", "digest", box=None, pad_edge=False)
    for app in apps:
        states = {version: _state(app, version.version, version.state.value) for version in app.versions}
        for index, (version, state) in enumerate(
            sorted(states.items(), key=lambda item: item[1] != "current")
        ):
            table.add_row(
                Text(app.app if index == 0 else "", style="bold"),
                Text(version.version),
                Text(state, style=_COLORS.get(state, "dim")),
                str(version.partitions),
                datetime.fromtimestamp(version.deployed_at, UTC).strftime("%Y-%m-%d %H:%M"),
                version.digest[:12],
            )
    out.table(table)
    out.line()
    out.line(f"{plural(len(apps), 'app')} in {options.data}")
    for name, plugins in held.items():
        out.warn(
            f"{name}: in quarantine, since they leak when they are freed: {', '.join(plugins)}. Details: "
            "statehold quarantine"
        )


def _state(app: AppStatus, version: str, state: str) -> str:
    # A listing opens no app, so it says what the registry says, not what runs in this process.
    if state == "failed":
        return state
    if version in (app.current, app.previous):
        return "current" if version == app.current else "previous"
    return "kept" if state == "previous" else "beside"


def _document(app: AppStatus, quarantine: list[str]) -> dict[str, object]:
    return {
        "app": app.app,
        "current": app.current,
        "previous": app.previous,
        "quarantine": quarantine,
        "versions": [
            {
                "version": version.version,
                "state": _state(app, version.version, version.state.value),
                "digest": version.digest,
                "partitions": version.partitions,
                "deployed_at": version.deployed_at,
                "problem": version.problem,
            }
            for version in app.versions
        ],
    }
