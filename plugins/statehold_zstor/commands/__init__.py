"""The command `statehold zstor`."""

from __future__ import annotations

from pathlib import Path

import click

from statehold_zstor.commands._common import CONFIG
from statehold_zstor.commands._delete import delete
from statehold_zstor.commands._looking import check, list_objects, status, test
from statehold_zstor.commands._monitor import monitor
from statehold_zstor.commands._repairing import rebuild, verify
from statehold_zstor.commands._transfer import retrieve, store

__all__ = ["command"]


@click.group("zstor")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default="zstor_config.toml",
    show_default=True,
    envvar="ZSTOR_CONFIG",
    help="The configuration.",
)
@click.pass_context
def command(context: click.Context, config: Path) -> None:
    """Zstor: files in shards over many backends, of which some may be lost.

    A file is compressed, encrypted and cut into shards, any few of which give it back. No server is needed;
    `monitor` repairs by itself what lost shards.
    """
    context.meta[CONFIG] = config


for _each in (check, delete, list_objects, monitor, rebuild, retrieve, status, store, test, verify):
    command.add_command(_each)
