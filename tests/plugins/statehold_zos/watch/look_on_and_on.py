"""Looks after the disks of a node until it is killed; says once what is being moved."""

from __future__ import annotations

import sys
from pathlib import Path

from statehold_zos.disks import DiskModule
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config, DiskType, Image, PoolState
from statehold_zos.watch import Watch

folder, *names = map(Path, sys.argv[1:])
config = Config(
    folder=folder,
    images=tuple(
        Image(path=name, size=name.stat().st_size if name.exists() else 384 * 2**20) for name in names
    ),
    types={str(name): DiskType.SSD for name in names},
)
ledger = Ledger(folder)
disks = DiskModule(config, ledger)
watch = Watch(config, disks, ledger)
told = False
while True:
    watch.look()
    for move in watch.moves():
        if not told:
            print(move.pool, move.kind, move.done, flush=True)
            told = True
    if not told and all(pool.state is PoolState.READY for pool in disks.pools()):
        print(*(pool.id for pool in disks.pools()), "was done before it was seen", flush=True)
        told = True
