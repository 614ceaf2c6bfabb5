from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from zos_disks import MIB, four_disks_in

from statehold_zos.model import Config, DiskType, Policy, Raid


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Config]:
    """Four images of one type, the first of which gets a pool, so that three stay free."""
    with four_disks_in(tmp_path, sizes=(384 * MIB,) * 4) as config:
        types = dict.fromkeys(config.types, DiskType.SSD)
        yield attrs.evolve(config, types=types, policy=Policy(pools=1))


@pytest.fixture
def mirror(images: Config) -> Config:
    """The same, for a pool of two disks that hold the same."""
    return attrs.evolve(images, policy=Policy(raid=Raid.RAID1, disks=2, pools=1))
