from __future__ import annotations

import pytest

from statehold_zos.disks import DiskModule
from statehold_zos.ledger import Ledger


@pytest.fixture
def disks(four_disks):
    """The disks of a node with four images."""
    with Ledger(four_disks.folder) as ledger:
        yield DiskModule(four_disks, ledger)


@pytest.fixture
def opened():
    """A function that opens a node's disks by a configuration, with a ledger of its own."""
    ledgers = []

    def open_(config):
        ledgers.append(Ledger(config.folder))
        return DiskModule(config, ledgers[-1])

    yield open_
    for ledger in ledgers:
        ledger.close()
