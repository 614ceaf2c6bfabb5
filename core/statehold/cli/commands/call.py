from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural, printable
from statehold.cli._values import from_json, to_json
from statehold_vsql import Operation, Scope

if TYPE_CHECKING:
    from statehold.hosting import Partition
    from statehold.sdk import Key, Value
    from statehold.state import Facade

_OPERATION = click.Choice([op.value for op in Operation], case_sensitive=False)
_SCOPE = click.Choice([scope.value for scope in Scope], case_sensitive=False)


@click.command("call")
@click.argument("app")
@click.argument("storage")
@click.argument("operation", type=_OPERATION)
@click.option("--scope", type=_SCOPE, required=True, help="Who calls: the kind of extension.")
@click.option(
    "--key", "keys", multiple=True, metavar="JSON", help="The fields of KEY; for GETBATCH once per row."
)
@click.option("--value", metavar="JSON", help="The fields of VALUE, for INSERT and UPDATE.")
@click.option("--wsid", type=click.IntRange(min=0), default=1, show_default=True, help="The workspace.")
@click.option("--partition", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--version", help="A version that is not the current one.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many rows to READ."
)
@host_command
def command(
    out: Output,
    options: HostOptions,
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
    """Use an OPERATION of a STORAGE of APP as an extension would, in a scope.

    \b
    statehold call acme.bills bills.Scada GET --scope QUERIES \\
        --key '{"Device": "oven-1", "Point": "temperature"}'

    Bytes are written {"base64": "..."}.
    """
    wanted = Operation(operation)
    key_fields = [from_json(text, option="--key") for text in keys] or [{}]
    if len(key_fields) > 1 and wanted is not Operation.GETBATCH:
        raise click.BadParameter("only GETBATCH takes more than one.", param_hint="--key")
    if wanted.is_intent != (value is not None):
        raise click.BadParameter(
            f"{wanted} needs one." if wanted.is_intent else f"{wanted} takes none.", param_hint="--value"
        )
    value_fields = from_json(value, option="--value") if value is not None else {}
    with options.open(out, apps=[app]) as host:
        with host.app(app).borrow(partition, version=version) as borrowed:
            rows = list(
                use(borrowed, storage, wanted, Scope(scope), wsid, key_fields, value_fields, limit + 1)
            )
    more, rows = (
        len(rows) > limit and wanted is Operation.READ,
        rows[:limit] if wanted is Operation.READ else rows,
    )
    out.document(
        {"app": app, "storage": storage, "operation": wanted, "scope": scope, "rows": rows, "more": more}
    )
    _show(out, wanted, rows, more=more)


def use(
    partition: Partition,
    storage: str,
    operation: Operation,
    scope: Scope,
    wsid: int,
    keys: Iterable[Mapping[str, Any]],
    value: Mapping[str, Any],
    limit: int,
) -> Iterable[dict[str, Any]]:
    """Run one operation through the facade of *scope* and return its rows as `{"key":, "value":}`.

    A missing row has the value None; an INSERT or UPDATE is applied at once.
    """
    facade = partition.scoped(storage, scope)
    if operation is Operation.READ:
        (fields,) = keys
        found = facade.read(facade.prefix(wsid, **fields))
        rows = [_row(key, row) for key, row in islice(found, limit)]
        close = getattr(found, "close", None)
        if close:
            close()
        return rows
    made = [facade.key(wsid, **fields) for fields in keys]
    if operation is Operation.GET:
        return [_row(made[0], facade.get(made[0]))]
    if operation is Operation.GETBATCH:
        return [_row(key, row) for key, row in zip(made, facade.get_batch(made), strict=True)]
    return [_change(partition, facade, storage, operation, made[0], value)]


def _change(
    partition: Partition,
    facade: Facade,
    storage: str,
    operation: Operation,
    key: Key,
    value: Mapping[str, Any],
) -> dict[str, Any]:
    from statehold.sdk import StorageError  # noqa: PLC0415
    from statehold.state import apply_intents  # noqa: PLC0415

    if operation is Operation.INSERT:
        intent = facade.insert(key, value)
    else:
        existing = facade.get(key)
        if existing is None:
            raise StorageError(f"{storage} has no row {key!r} to UPDATE", hint="INSERT it first")
        intent = facade.update(key, existing, value)
    apply_intents({storage: partition.storage(storage)}, {storage: [intent]})
    return _row(intent.key, intent.value)


def _row(key: Key, value: Value | None) -> dict[str, Any]:
    from statehold.sdk import fields  # noqa: PLC0415

    return {"key": to_json(fields(key)), "value": None if value is None else to_json(fields(value))}


def _show(out: Output, operation: Operation, rows: list[dict[str, Any]], *, more: bool) -> None:
    import json  # noqa: PLC0415

    for row in rows:
        key = " ".join(f"{name}={json.dumps(item, ensure_ascii=False)}" for name, item in row["key"].items())
        out.line(f"{click.style(printable(key), dim=True)}")
        if row["value"] is None:
            out.line("  (no such row)")
            continue
        for name, item in row["value"].items():
            text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
            out.line(f"  {click.style(name, bold=True)} = {printable(text)}")
    if operation.is_intent:
        out.done(f"{operation} applied")
    elif operation is Operation.READ:
        out.line(f"{plural(len(rows), 'row')}{', and more: --limit' if more else ''}")
