from __future__ import annotations

import click

from statehold.cli import Output, common
from statehold_zos.commands._common import described, opened


@click.command("pools")
@common
def pools(out: Output) -> None:
    """Show the pools, how full they are, and the totals of each type of disks."""
    with opened() as node:
        found, stats = node.disks.pools(), node.disks.stats()
    out.document(
        {
            "pools": [described(pool) for pool in found],
            "types": {kind.value: described(totals) for kind, totals in stats.types.items()},
            "sru": stats.sru,
            "hru": stats.hru,
        }
    )
    if out.json:
        return
    from statehold_zos.views import LEGEND, pools_table, reasons, totals_table  # noqa: PLC0415

    if not found:
        out.line("there is no pool yet: `statehold zos plan` says what can be made")
        return
    out.table(pools_table(found))
    out.line()
    out.table(totals_table(stats))
    out.line()
    out.line(LEGEND)
    for reason in reasons(found):
        out.warn(reason)
    for limits in sorted({pool.limits for pool in found if "advisory" in pool.limits}):
        out.line(f"limits: {limits}")


@click.command("spaces")
@click.option("--owner", help="Those of this owner only; '' for those of operators.")
@click.option("--pool", help="Those in this pool only.")
@common
def spaces(out: Output, owner: str | None, pool: str | None) -> None:
    """Show the folders that are reserved, by operators and by apps, and what they hold."""
    with opened() as node:
        if pool is not None:
            node.disks.record(pool)
        found = [node.pools.look_up(space.id) for space in node.pools.list(owner=owner, pool=pool)]
    out.document({"spaces": [described(space) for space in found]})
    if out.json:
        return
    from statehold_zos.views import spaces_table  # noqa: PLC0415

    if found:
        out.table(spaces_table(found))
        out.line()
    for space in found:
        out.line(f"{space.id}  {space.path}")
    if not found:
        out.line("nothing is reserved")


@click.command("namespaces")
@click.option("--owner", help="Those of this owner only; '' for those of operators.")
@common
def namespaces(out: Output, owner: str | None) -> None:
    """Show the 0-db namespaces that are reserved, what they hold, and where they are served."""
    with opened() as node:
        found = node.namespaces.list(owner=owner)
    out.document({"namespaces": [described(each) for each in found]})
    if out.json:
        return
    from statehold_zos.views import namespaces_table  # noqa: PLC0415

    if found:
        out.table(namespaces_table(found))
    else:
        out.line("no namespace is reserved")
