from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural, printable
from statehold.cli._values import from_json

if TYPE_CHECKING:
    from statehold.hosting import Host
    from statehold.processing import Runtime

_COUNT = click.IntRange(min=0)
_DESCRIPTOR = "sys.WorkspaceDescriptor"


@click.group("workspace")
def command() -> None:
    """Make workspaces of an app, or list them."""


@command.command("make")
@app_argument
@click.argument("kind")
@click.argument("name")
@click.option("--fields", metavar="JSON", help="The fields of the kind's own descriptor.")
@click.option("--owner", type=_COUNT, default=0, help="The workspace that is to own it.")
@host_command
def make(
    out: Output,
    options: HostOptions,
    *,
    app: str,
    kind: str,
    name: str,
    fields: str | None,
    owner: int,
) -> None:
    """Make a workspace of a KIND, package.Workspace, and call it NAME."""
    from statehold.processing import SYSTEM, Request, Runtime  # noqa: PLC0415

    data = None if fields is None else from_json(fields, option="--fields")
    request = Request(app=app, workspace=owner, principal=SYSTEM, origin="cli")
    by_http = (
        f"POST /api/v2/apps/{app.replace('.', '/')}/workspaces, "
        f"with the token of `statehold token {app} --role sys.ClusterAdmin`"
    )
    with (
        options.open(out, apps=[app], by_http=by_http) as host,
        Runtime(host, background=False) as runtime,
    ):
        host.app(app)
        made = runtime.create_workspace(request, kind, name=name, data=data)
    out.document({"app": app, "wsid": made.workspace, "kind": kind, "name": name})
    out.done(f"{name} is workspace {made.workspace}")


@command.command("list")
@app_argument
@host_command
def list_(out: Output, options: HostOptions, *, app: str) -> None:
    """List the workspaces of APP, its own ones too."""
    from statehold.processing import Runtime  # noqa: PLC0415

    with options.open(out, apps=[app]) as host, Runtime(host, background=False) as runtime:
        found = list(_workspaces(host, runtime, app))
    out.document({"app": app, "workspaces": found})
    if not out.json:
        _table(out, found)
        out.line(plural(len(found), "workspace"))


def _workspaces(host: Host, runtime: Runtime, app: str) -> Iterator[dict[str, Any]]:
    from statehold.events import allocated_workspaces  # noqa: PLC0415

    own = 1
    while (found := _workspace(runtime, app, own)) is not None:
        yield found
        own += 1
    for workspace in allocated_workspaces(host.app(app).data.store):
        # An id whose workspace could not be made stays unused.
        if (found := _workspace(runtime, app, workspace)) is not None:
            yield found


def _workspace(runtime: Runtime, app: str, workspace: int) -> dict[str, Any] | None:
    from statehold.processing import SYSTEM, Request, UnknownError  # noqa: PLC0415

    request = Request(app=app, workspace=workspace, principal=SYSTEM, origin="cli")
    try:
        found = runtime.singleton(request, _DESCRIPTOR)
    except UnknownError:
        return None
    return {
        "wsid": workspace,
        "kind": found.get("WSKind", ""),
        "name": found.get("WSName", ""),
        "owner": found.get("OwnerWSID") or None,
    }


def _table(out: Output, found: list[dict[str, Any]]) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("workspace", "kind", "name", "owner", box=None, pad_edge=False)
    for one in found:
        owner = "" if one["owner"] is None else str(one["owner"])
        table.add_row(str(one["wsid"]), Text(one["kind"]), Text(printable(one["name"])), owner)
    out.table(table)
