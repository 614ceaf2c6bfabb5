"""The command `statehold aos`."""

from __future__ import annotations

import click

from statehold_aos.commands._cloud import cloud
from statehold_aos.commands._doctor import doctor
from statehold_aos.commands._migrate import migrate

__all__ = ["command"]


@click.group("aos")
def command() -> None:
    """Service storage, states, database and cloud of AOS."""


for _one in (cloud, doctor, migrate):
    command.add_command(_one)
