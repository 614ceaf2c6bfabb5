from __future__ import annotations

import json
from typing import Any

import click

from statehold.cli._calls import StorageCall, without_secrets, without_traceback
from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural, printable
from statehold.cli._values import from_json, to_json
from statehold.cli._words import completing, word_of
from statehold.sdk import UNSET, PluginError, StateholdError
from statehold_vsql import Operation, Scope

_SCOPE_HELP = "Who calls: COMMANDS, QUERIES, PROJECTORS or JOBS."
_COUNT = click.IntRange(min=0)

_EPILOG = """\b
Example:
  statehold call acme.bills bills.Scada GET --scope QUERIES \\
      --key '{"Device": "oven", "Point": "heat"}'
"""


@click.command("call", epilog=_EPILOG)
@app_argument
@click.argument("storage")
@click.argument(
    "operation", type=word_of(Operation), shell_complete=completing(Operation), metavar="OPERATION"
)
@click.option(
    "--scope",
    type=word_of(Scope, plural=True),
    shell_complete=completing(Scope),
    metavar="SCOPE",
    required=True,
    help=_SCOPE_HELP,
)
@click.option(
    "--key", "keys", multiple=True, metavar="JSON", help="The fields of KEY; one each for GETBATCH."
)
@click.option("--value", metavar="JSON", help="The fields of VALUE, for INSERT and UPDATE.")
@click.option("--wsid", type=_COUNT, default=1, show_default=True, help="The workspace.")
@click.option("--partition", type=_COUNT, default=0, show_default=True, help="The partition's number.")
@click.option("--version", help="A version that is open beside the current one.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Most rows of a READ."
)
@host_command
def command(
    out: Output,
    options: HostOptions,
    *,
    app: str,
    storage: str,
    operation: str,
    scope: str,
    keys: tuple[str, ...],
    value: str | None,
    wsid: int,
    partition: int,
    version: str | None,
    limit: int,
) -> None:
    """Use a STORAGE of APP, as an extension would.

    OPERATION is GET, GETBATCH, READ, INSERT or UPDATE. For READ, leave trailing fields of the key out.
    Bytes are written {"base64": "..."}.
    """
    wanted = Operation(operation)
    if len(keys) > 1 and wanted is not Operation.GETBATCH:
        raise click.BadParameter(f"{wanted} takes one; only GETBATCH takes more.", param_hint="--key")
    if wanted.is_intent != (value is not None):
        needs = "needs one." if wanted.is_intent else "takes none; only INSERT and UPDATE do."
        raise click.BadParameter(f"{wanted} {needs}", param_hint="--value")
    given = [from_json(text, option="--key") for text in keys] or [{}]
    if any("WSID" in key for key in given):
        raise click.BadParameter("the workspace is given by --wsid.", param_hint="--key")
    call = StorageCall(
        storage=storage,
        operation=wanted,
        scope=Scope(scope),
        keys=given,
        value=from_json(value, option="--value") if value else {},
        workspace=wsid,
    )
    rows: list[dict[str, Any]] = []
    failure: StateholdError | None = None
    with options.open(out, apps=[app]) as host, host.app(app).borrow(partition, version=version) as borrowed:
        try:
            with out.progress(f"{wanted} {storage}"):
                rows = call.run(borrowed, limit=limit + 1)
        except StateholdError as error:
            # Raised as soon as the plugin has been freed.
            failure = error if out.debug else without_traceback(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a plugin raises
            failure = PluginError(
                f"{storage}: {wanted} raised {type(error).__name__}: {error}",
                hint="A storage raises StorageError for what callers do wrong; --debug shows where this was",
            )
            failure.__cause__ = error if out.debug else None
        if failure is not None:
            failure = without_secrets(failure, borrowed)
    if failure is not None:
        raise failure
    more = wanted is Operation.READ and len(rows) > limit
    rows = rows[:limit] if more else rows
    out.document(
        {"app": app, "storage": storage, "operation": wanted, "scope": scope, "rows": rows, "more": more}
    )
    for row in rows:
        for line in row_lines(row):
            out.line(line)
    if wanted.is_intent:
        out.done(f"{wanted} applied")
    elif wanted is Operation.READ:
        out.line(f"{plural(len(rows), 'row')}{', and more: see --limit' if more else ''}")


def row_lines(row: dict[str, Any]) -> list[str]:
    """Return a row as lines for a person: the key, then a line per field of the value."""
    given = {name: item for name, item in row["key"].items() if item is not None and item not in ((), UNSET)}
    key = ", ".join(f"{name}={_text(item)}" for name, item in given.items())
    lines = [click.style(key, bold=True)]
    if row["value"] is None:
        return [*lines, "  no such row"]
    for name, item in row["value"].items():
        many = isinstance(item, tuple) and len(item) > 1
        lines += [f"  {name}: {_text(one)}" for one in (item if many else [item])]
    return lines


def _text(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return f"{printable(value.decode())} ({len(value)} bytes)"
        except UnicodeDecodeError:
            pass
    return printable(json.dumps(to_json(value), ensure_ascii=False))
