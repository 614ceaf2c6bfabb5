"""The command `statehold zos`."""

from __future__ import annotations

from pathlib import Path

import click

from statehold_zos.commands._common import CONFIG
from statehold_zos.commands._demo import demo
from statehold_zos.commands._looking import namespaces, pools, spaces
from statehold_zos.commands._monitor import monitor
from statehold_zos.commands._preparing import plan, prepare, wipe
from statehold_zos.commands._reserving import freeze, release, reserve, resize

__all__ = ["command"]


@click.group("zos")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default="zos.toml",
    show_default=True,
    envvar="ZOS_CONFIG",
    help="The configuration.",
)
@click.pass_context
def command(context: click.Context, config: Path) -> None:
    """Storage of a node: disks, pools of them, and what is reserved in those.

    `plan` says what could be done with the disks that the configuration allows, and `prepare` does it. Then
    folders and 0-db namespaces of a size are reserved. `monitor` looks after all of it.
    """
    context.meta[CONFIG] = config


for each in (
    demo,
    freeze,
    monitor,
    namespaces,
    plan,
    pools,
    prepare,
    release,
    reserve,
    resize,
    spaces,
    wipe,
):
    command.add_command(each)
