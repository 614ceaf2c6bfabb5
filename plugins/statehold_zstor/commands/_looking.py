from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli import Output, common
from statehold_zstor.commands._common import (
    chosen,
    counted,
    described,
    file_option,
    key_option,
    opened,
    protection,
    size_text,
)

if TYPE_CHECKING:
    from rich.table import Table

    from statehold_zstor.objects import BackendStatus, Status


@click.command()
@file_option
@key_option
@common
def check(out: Output, file: Path | None, key: str | None) -> None:
    """Say what is known of an object; `verify` reads it, too."""
    from statehold_zstor.objects import ObjectNotFoundError  # noqa: PLC0415  `--help` needs none of it

    with opened() as zstor:
        (name,) = chosen(zstor, file, key)
        info = zstor.check(name)
    if info is None:
        raise ObjectNotFoundError(f"there is no object {name!r}", hint="`statehold zstor list` shows all")
    out.document(described(info))
    out.line(f"{info.checksum:08x}  {info.key}")
    out.line(f"    {info.size:,} bytes, stored {_moment(info.stored)}, generation {info.generation}")
    out.line(f"    {protection(info)}")
    for shard, backend in enumerate(info.backends):
        out.line(f"    shard {shard}: {backend or 'missing'}")


@click.command("list")
@click.argument("prefix", default="")
@common
def list_objects(out: Output, prefix: str) -> None:
    """List the objects whose keys begin with PREFIX."""
    from rich.table import Table  # noqa: PLC0415  `--help` needs none of it

    with opened() as zstor:
        found = sorted(zstor.list(prefix), key=lambda info: info.key)
    out.document({"objects": [described(info) for info in found]})
    if not found:
        out.line(f"there are no objects{f' that begin with {prefix}' if prefix else ''}")
        return
    table = Table("key", box=None, pad_edge=False)
    table.add_column("size", justify="right")
    table.add_column("stored")
    table.add_column("shards")
    for info in found:
        there = info.shards - len(info.missing)
        table.add_row(info.key, size_text(info.size), _moment(info.stored), f"{there} of {info.shards}")
    out.table(table)


@click.command()
@common
@click.pass_context
def status(context: click.Context, out: Output) -> None:
    """Ask every backend how it is; ends with 1 where one does not answer, or cannot be used."""
    with opened() as zstor, out.progress("asking the backends"):
        found = zstor.status()
    well = not found.problem and not any(each.problem for each in found.backends)
    out.document(
        {
            "backends": [_backend(each) for each in found.backends],
            "objects": found.objects,
            "tickets": found.tickets,
            "endangered": found.endangered,
            "garbage": found.garbage,
        },
        ok=well,
    )
    for title, backends in (
        ("data", [each for each in found.backends if not each.metadata]),
        ("metadata", [each for each in found.backends if each.metadata]),
    ):
        out.table(_table(title, backends))
        out.line()
    for each in found.backends:
        if each.problem:
            out.line(
                f"{click.style('✗', fg='red')} {each.name}: {each.problem.removeprefix(each.name + ': ')}"
            )
    if found.problem:
        out.warn(found.problem)
    else:
        out.line(_told(found))
    context.exit(0 if well else 1)


@click.command()
@common
def test(out: Output) -> None:
    """Write, read and delete a small object, over all backends; ends with 1 where that fails."""
    import os  # noqa: PLC0415

    from statehold_zstor.objects import DamagedError  # noqa: PLC0415  `--help` needs none of it

    key = f".test/{os.urandom(8).hex()}"
    data = os.urandom(1000)
    start = time.monotonic()
    with opened() as zstor:
        info = zstor.store(key, data)
        try:
            if zstor.read(key) != data:
                raise DamagedError("what was read is not what was written", key=key, block=0, lost={})
        finally:
            zstor.delete(key)
    seconds = time.monotonic() - start
    out.document({"shards": info.shards, "missing": list(info.missing), "seconds": seconds})
    out.done(f"an object was stored, read and deleted in {seconds:.2f} s: {protection(info)}")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _told(status: Status) -> str:
    """Return how the objects are, in words."""
    objects = status.objects or 0
    lacking = status.tickets + status.endangered
    text = counted(objects, "object")
    if objects:
        text += f"; {lacking} with less than full redundancy" if lacking else ", with full redundancy"
    if status.garbage:
        text += f"; {counted(status.garbage, 'replaced or deleted shard')} still to be deleted"
    return text


def _backend(status: BackendStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "group": status.group,
        "metadata": status.metadata,
        "reachable": status.reachable,
        "objects": status.objects,
        "used": status.used,
        "limit": status.limit,
        "free": status.free,
        "problem": status.problem,
    }


def _table(title: str, backends: list[BackendStatus]) -> Table:
    from rich.table import Table  # noqa: PLC0415  `--help` needs none of it

    table = Table(title, box=None, pad_edge=False)
    grouped = title == "data"
    if grouped:
        table.add_column("group", justify="right")
    table.add_column("answers")
    for name in ("values", "used", "free"):
        table.add_column(name, justify="right")
    table.add_column("", justify="right")
    for each in backends:
        whole = (each.used or 0) + (each.free or 0)
        part = f"{100 * (each.used or 0) / whole:.0f} %" if each.free is not None and whole else ""
        row = [
            "yes" if each.reachable else "NO",
            "" if each.objects is None else f"{each.objects:,}",
            size_text(each.used),
            size_text(each.free),
            part,
        ]
        group = ["leaving" if each.group is None else str(each.group + 1)] if grouped else []
        table.add_row(each.name, *group, *row)
    return table
