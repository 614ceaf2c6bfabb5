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
    """List the storages that are installed here.

    The exit code is 1 where one is broken.
    """
    from statehold.loading import installed  # noqa: PLC0415

    with out.progress("loading the providers"):
        listing = sorted(installed().listing(), key=lambda item: item.entry)
    broken = [item for item in listing if item.error]
    out.document({"storages": [_document(item) for item in listing]}, ok=not broken)
    for item in listing:
        for line in _lines(item):
            out.line(line)
    for item in broken:
        out.line(f"\n{click.style('error:', fg='red', bold=True)} {printable(item.error)}")
    out.line(f"\n{plural(len(listing) - len(broken), 'storage')}, {len(broken)} broken")
    if broken:
        click.get_current_context().exit(1)


def _lines(item: Listed) -> list[str]:
    entry, provider = item.entry, item.provider
    operations = " ".join(op for op in Operation if provider and op in provider.operations)
    head = f"{click.style(f'{entry.name:<12}', bold=True)} "
    head += (
        click.style(f"{'broken':<31}", fg="red")
        if item.error
        else click.style(f"{operations:<31}", fg="green")
    )
    lines = [f"{head} {entry.distribution} {entry.version}"]
    if provider and provider.description:
        lines.append(f"{'':12} {provider.description}")
    if not entry.builtin:
        lines.append(f"{'':12} {click.style(entry.location, dim=True)}")
    return lines


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
