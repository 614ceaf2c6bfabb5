"""The command `statehold aos`."""

from __future__ import annotations

import click

from statehold_aos.commands._cloud import cloud
from statehold_aos.commands._demo import demo
from statehold_aos.commands._doctor import doctor
from statehold_aos.commands._migrate import migrate
from statehold_aos.commands._services import services

__all__ = ["command"]


@click.group("aos")
def command() -> None:
    """Services of AOS: storage, states, database, cloud."""


for _one in (cloud, demo, doctor, migrate, services):
    command.add_command(_one)
