"""Which server takes a namespace, and where one is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from zos_namespaces import PASSWORD, served
from zos_pools import MIB

from statehold_quota import Accounting
from statehold_zos.model import DiskType, Mode, NoSpaceError, ZosError
from statehold_zos.namespaces import SERVER_ROOM, room_of


def test_the_tightest_server_with_room_takes_a_namespace_and_one_more_is_started_for_what_none_has(
    tmp_path: Path,
) -> None:
    with served(tmp_path, pools=("a", "b", "c")) as node:
        node.node.ledger.pools.put("a", type=DiskType.SSD, size=SERVER_ROOM + room_of(8 * MIB) + room_of(MIB))

        def pool(size: int) -> str:
            return node.namespaces.reserve(DiskType.SSD, size, Mode.USER, PASSWORD).pool

        assert pool(8 * MIB) == "a"
        assert pool(24 * MIB) == "b"
        assert pool(MIB) == "a"  # where it just fits, though b has more room
        assert pool(MIB) == "b"
        assert len(node.namespaces.processes()) == 2
        assert pool(24 * MIB) == "c"
        assert len(node.namespaces.processes()) == 3
        # The overhead of another server is not needed where there is one, and there is no fourth pool.
        with pytest.raises(NoSpaceError, match="has"):
            pool(40 * MIB)
        assert node.disagreements() == []


def test_a_pool_that_is_broken_is_left_out_and_told_of_where_no_other_has_room(tmp_path: Path) -> None:
    with served(tmp_path, pools=("a", "b")) as node:
        node.node.land.away.add("a")
        made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="o", name="n")
        assert made.pool == "b"
        node.node.land.away.add("b")
        node.node.pools._sites.clear()
        with pytest.raises(ZosError, match="not mounted"):
            node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="o", name="m")
        node.node.land.away.clear()
        node.namespaces.reconcile()
        assert [each.name for each in node.namespaces.list()] == ["n"]
        assert node.disagreements() == []


def test_disks_of_both_types_have_as_many_namespaces_as_fit_each_server_with_its_port_and_secret(
    tmp_path: Path,
) -> None:
    """The original has one 0-db for each HDD, none on SSDs, and one port and password for all of a node."""
    with served(tmp_path, pools=("fast",)) as node:
        slow = tmp_path / "slow"
        node.node.add("slow", slow, Accounting(root=slow), disk_type=DiskType.HDD)
        made = [
            node.namespaces.reserve(disk_type, MIB, mode, PASSWORD) for disk_type in DiskType for mode in Mode
        ]
        assert [(each.disk_type, each.pool) for each in made] == [
            *((DiskType.SSD, "fast"),) * 2,
            *((DiskType.HDD, "slow"),) * 2,
        ]
        assert {each.host for each in made} == {"127.0.0.1"}
        assert len({(each.pool, each.port) for each in made}) == len({each.port for each in made}) == 2
        assert len({node.namespaces._servers._secrets.of(each) for each in node.namespaces.processes()}) == 2
        assert node.disagreements() == []
