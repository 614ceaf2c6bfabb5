from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from statehold.cli import Output, common
from statehold_zos.commands._common import configuration, described, opened, policy_of, policy_options

if TYPE_CHECKING:
    from statehold_zos.disks import Plan


@click.command("plan")
@policy_options
@common
def plan(out: Output, **options: Any) -> None:
    """Say what `prepare` and `wipe` would do, and which tokens they want; nothing is changed."""
    with opened(up=False) as node, out.progress("looking at the disks"):
        made = node.disks.plan(policy_of(node.config.policy, **options))
    out.document(
        {
            "policy": described(made.policy),
            "new": [described(new) for new in made.new],
            "pools": [described(old) for old in made.pools],
            "disks": [described(disk) for disk in made.disks],
            "left": dict(made.left),
        }
    )
    if not out.json:
        _show(out, made)


def _show(out: Output, made: Plan) -> None:
    from rich.table import Table  # noqa: PLC0415  `--help` needs none of it

    from statehold_zos.disks import FileSystem  # noqa: PLC0415
    from statehold_zos.model import size_text  # noqa: PLC0415
    from statehold_zos.views import cells, disks_table  # noqa: PLC0415

    out.table(disks_table(made.disks))
    for disk, reason in made.left.items():
        out.line(f"{disk} stays free: {reason}")
    if made.pools:
        out.line()
        table = Table("POOL", "TOKEN FOR wipe", "DISKS", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for old in made.pools:
            table.add_row(*cells(old.id, old.token or f"- {old.reason}", " ".join(old.disks)))
        out.table(table)
    out.line()
    if not made.new:
        out.line("there is nothing to prepare")
        return
    table = Table("TOKEN", "WOULD BECOME A POOL", "TYPE", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("SIZE", justify="right")
    table.add_column("FILE SYSTEM")
    for new in made.new:
        system = new.file_system.value
        spread = f"{system}, {new.raid.value}" if len(new.disks) > 1 else system
        row = (new.token, " ".join(new.disks), new.type.value, size_text(new.size), spread)
        table.add_row(*cells(*row))
    out.table(table)
    tokens = " ".join(new.token for new in made.new if new.file_system is not FileSystem.FOLDER)
    out.line()
    out.line(f"nothing was changed; to do it: statehold zos prepare {tokens}".rstrip())


@click.command("prepare")
@click.argument("tokens", nargs=-1)
@policy_options
@common
@click.pass_context
def prepare(context: click.Context, /, out: Output, tokens: tuple[str, ...], **options: Any) -> None:
    """Make pools of free disks: those of `plan` whose TOKENS are given; all that was on the disks is gone.

    A token fits as long as the disks are as they were. Folders need none. The exit code is 1 where a pool
    could not be made.
    """
    from statehold_zos.disks import FileSystem  # noqa: PLC0415  `--help` needs none of it
    from statehold_zos.model import PoolState, RefusedError  # noqa: PLC0415
    from statehold_zos.views import pools_table  # noqa: PLC0415

    with opened() as node:
        policy = policy_of(node.config.policy, **options)
        wanted = [new for new in node.disks.plan(policy).new if new.file_system is not FileSystem.FOLDER]
        if wanted and not tokens:
            raise RefusedError(
                f"prepare writes to a disk only with its token, and {len(wanted)} could be made into pools",
                hint="`statehold zos plan` says what would be done, with the tokens",
            )
        with out.progress("making pools"):
            pools = node.disks.prepare(policy, tokens=tokens)
    bad = [pool for pool in pools if pool.state in {PoolState.FAILING, PoolState.GONE}]
    out.document({"pools": [described(pool) for pool in pools]}, ok=not bad)
    out.table(pools_table(pools))
    for pool in bad:
        out.warn(f"{pool.id}: {pool.reason}")
    context.exit(1 if bad else 0)


@click.command("wipe")
@click.argument("pool")
@click.option("--token", default="", help="The pool's token, which `plan` prints.")
@common
def wipe(out: Output, pool: str, token: str) -> None:
    """Give the disks of POOL back: all that is on them is gone.

    Nothing may be reserved in it. What was begun, and then killed, is finished by the same command.
    """
    from statehold_zos.model import RefusedError  # noqa: PLC0415  `--help` needs none of it

    configuration()
    if not token:
        raise RefusedError(
            f"wiping {pool} takes all that is on its disks, and wants the pool's token, too",
            hint="`statehold zos plan` prints it: statehold zos wipe POOL --token TOKEN",
        )
    with opened() as node, out.progress(f"wiping {pool}"):
        disks = node.disks.record(pool).disks
        node.disks.wipe(pool, token=token)
    out.document({"pool": pool, "disks": list(disks)})
    out.done(f"{pool} is wiped; {' '.join(disks)} can be prepared again")
