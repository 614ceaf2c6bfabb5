from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable
from statehold_vsql import Operation

if TYPE_CHECKING:
    from statehold.loading import Listed


@click.command("storages")
@common
def command(out: Output) -> None:
    """List the storages that installed distributions provide.

    The exit code is 1 where one is broken.
    """
    from statehold.loading import Catalog, installed_entries  # noqa: PLC0415

    with out.progress("loading the providers"):
        listing = sorted(Catalog(**installed_entries()).listing(), key=lambda item: item.entry)
    broken = [item for item in listing if item.error]
    out.document({"storages": [_document(item) for item in listing]}, ok=not broken)
    _show(out, listing)
    for item in broken:
        out.line(f"\n{click.style('error:', fg='red', bold=True)} {printable(item.error)}")
    out.line(f"\n{plural(len(listing) - len(broken), 'storage')}, {len(broken)} broken")
    if broken:
        raise SystemExit(1)


def _show(out: Output, listing: list[Listed]) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("storage", "operations", "from", "what", box=None, pad_edge=False)
    for item in listing:
        provider = item.provider
        operations = " ".join(op for op in Operation if provider and op in provider.operations)
        table.add_row(
            Text(item.entry.name, style="bold red" if item.error else "bold"),
            Text("broken" if item.error else operations, style="red" if item.error else "green"),
            Text(f"{item.entry.distribution} {item.entry.version}"),
            Text(provider.description if provider else item.entry.value, style="dim"),
        )
    out.console().print(table)


def _document(item: Listed) -> dict[str, Any]:
    provider = item.provider
    return {
        "name": item.entry.name,
        "distribution": item.entry.distribution,
        "version": item.entry.version,
        "location": item.entry.location,
        "value": item.entry.value,
        "operations": [op for op in Operation if provider and op in provider.operations],
        "key": [str(field) for field in provider.key] if provider and provider.key is not None else None,
        "value_fields": [str(field) for field in provider.value]
        if provider and provider.value is not None
        else None,
        "sync_projector": bool(provider and provider.sync_projector),
        "description": provider.description if provider else "",
        "error": item.error,
    }
