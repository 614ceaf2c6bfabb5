"""The command `statehold qsfs`."""

from __future__ import annotations

import click

from statehold_qsfs.commands._demo import demo
from statehold_qsfs.commands._doctor import doctor
from statehold_qsfs.commands._mount import mount
from statehold_qsfs.commands._restore import restore
from statehold_qsfs.commands._serve import serve
from statehold_qsfs.commands._snapshot import snapshot
from statehold_qsfs.commands._status import status
from statehold_qsfs.commands._umount import umount

__all__ = ["command"]


@click.group("qsfs")
def command() -> None:
    """QSFS: a filesystem on 0-db, mounted through FUSE."""


for each in (demo, doctor, mount, restore, serve, snapshot, status, umount):
    command.add_command(each)
