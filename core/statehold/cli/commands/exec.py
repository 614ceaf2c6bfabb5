from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output
from statehold.cli._principals import principal_of
from statehold.cli._text import plural, printable
from statehold.cli._values import from_json, to_json
from statehold.sdk import HostError
from statehold_vsql import ExtensionKind

if TYPE_CHECKING:
    from statehold.hosting import Host
    from statehold.processing import Request, Runtime

_COUNT = click.IntRange(min=0)
_PATIENCE = 10.0

_EPILOG = """\b
Example:
  statehold exec acme.bills bills.OpenBill --wsid 65537 --args '{"TableNumber": 7}'
"""


@click.command("exec", epilog=_EPILOG)
@app_argument
@click.argument("name")
@click.option("--args", metavar="JSON", help="The argument.")
@click.option("--unlogged", metavar="JSON", help="The argument of a command that is not logged.")
@click.option("--wsid", type=_COUNT, default=1, show_default=True, help="The workspace.")
@click.option(
    "--as", "roles", multiple=True, metavar="ROLE", help="Ask with this role alone, not as the system."
)
@click.option("--user", default="operator", show_default=True, help="Who asks, together with --as.")
@host_command
def command(
    out: Output,
    options: HostOptions,
    *,
    app: str,
    name: str,
    args: str | None,
    unlogged: str | None,
    wsid: int,
    roles: tuple[str, ...],
    user: str,
) -> None:
    """Run the command or query NAME of APP, without a server.

    NAME is package.Name. Asynchronous projectors have caught up when it answers, and before a query is run.
    """
    from statehold.processing import SYSTEM, Request, Runtime  # noqa: PLC0415

    given = None if args is None else from_json(args, option="--args")
    hidden = None if unlogged is None else from_json(unlogged, option="--unlogged")
    principal = principal_of(roles, name=user, option="--as") if roles else SYSTEM
    request = Request(app=app, workspace=wsid, principal=principal, origin="cli")
    place = f"/api/v2/apps/{app.replace('.', '/')}/workspaces/{wsid}"
    by_http = (
        f"POST {place}/commands/{name}, or GET .../queries/{name}, "
        f"with the token of `statehold token {app} --role sys.System`"
    )
    with options.open(out, apps=[app], by_http=by_http) as host:
        is_query = _kind(host, app, name) is ExtensionKind.QUERY
        if is_query and hidden is not None:
            raise click.BadParameter(f"{name} is a query; only commands take one.", param_hint="--unlogged")
        with Runtime(host, jobs=False) as runtime, out.progress(name):
            if is_query:
                _catch_up(out, runtime, app)
                document = _query(runtime, request, name, given)
            else:
                document = _command(runtime, request, name, given, hidden)
                _catch_up(out, runtime, app)
    out.document({"app": app, "name": name, "wsid": wsid, **document})
    _show(out, document)


def _kind(host: Host, app: str, name: str) -> ExtensionKind:
    from difflib import get_close_matches  # noqa: PLC0415

    known = {
        str(extension.name): extension.kind
        for extension in host.app(app).current.appdef.extensions.values()
        if extension.kind in (ExtensionKind.COMMAND, ExtensionKind.QUERY)
    }
    if name not in known:
        near = get_close_matches(name, known, n=1)
        own = ", ".join(sorted(one for one in known if not one.startswith("sys."))) or "none"
        raise HostError(
            f"{app} has no command or query {name!r}",
            hint=f"Did you mean {near[0]}?" if near else f"It has {own}",
        )
    return known[name]


def _query(runtime: Runtime, request: Request, name: str, args: dict[str, Any] | None) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    return {"kind": "query", "results": msgspec.to_builtins(runtime.query(request, name, args))}


def _command(
    runtime: Runtime,
    request: Request,
    name: str,
    args: dict[str, Any] | None,
    unlogged: dict[str, Any] | None,
) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    answer = runtime.command(request, name, args, unlogged=unlogged)
    return {
        "kind": "command",
        "offset": answer.offset,
        "new_ids": {str(raw): new for raw, new in answer.new_ids.items()},
        "result": msgspec.to_builtins(answer.result),
        "problem": answer.problem,
    }


def _catch_up(out: Output, runtime: Runtime, app: str) -> None:
    if runtime.wait_for_projectors(app, timeout=_PATIENCE):
        return
    for lag in runtime.lags(app):
        if lag.events:
            why = f": {lag.problem}" if lag.problem else ""
            out.warn(f"{lag.projector} is {plural(lag.events, 'event')} behind{why}")


def _show(out: Output, document: dict[str, Any]) -> None:
    if document["kind"] == "query":
        for result in document["results"]:
            out.line(_text(result))
        out.line(plural(len(document["results"]), "result"))
        return
    if document["problem"]:
        out.warn(document["problem"])
    for raw, new in document["new_ids"].items():
        out.line(f"{raw} is now {new}")
    if document["result"] is not None:
        out.line(_text(document["result"]))
    out.done(f"logged at offset {document['offset']}")


def _text(value: object) -> str:
    return printable(json.dumps(to_json(value), ensure_ascii=False))
