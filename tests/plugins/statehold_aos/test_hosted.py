"""An app with two partitions whose storages all stand on one database, through an upgrade."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statehold.hosting import Host
from statehold.sdk import DeployError, Scope
from statehold_aos.database import Database

NAMES = ("Config", "Services", "Users", "TrafficMonitor", "Layers")
VSQL = """APPLICATION fleet();
PARAMETER Aos_Database text DEFAULT '';
STATESTORAGE ENGINE BUILTIN (
  STORAGE Config (GET SCOPE(COMMANDS), INSERT SCOPE(COMMANDS))
  WITH JSONCONFIG=`{"Database": "$Aos_Database", "TrafficMilliseconds": 3600000}`;
  STORAGE Services (GET SCOPE(COMMANDS, QUERIES), READ SCOPE(QUERIES), INSERT SCOPE(COMMANDS));
  STORAGE Users (GET SCOPE(COMMANDS), INSERT SCOPE(COMMANDS));
  STORAGE TrafficMonitor (GET SCOPE(COMMANDS), INSERT SCOPE(COMMANDS));
  Layers
)
"""


def image(folder: Path, version: str, database: str, isolation: str = "inprocess") -> Path:
    package = folder / version / "acme.fleet" / "image" / "pkg" / "acme" / "fleet"
    package.mkdir(parents=True)
    (package / "fleet.vsql").write_text(VSQL)
    root = folder / version / "acme.fleet"
    (root / "descriptor.json").write_text(
        json.dumps(
            {
                "Version": version,
                "NumParts": 2,
                "NumAppWorkspaces": 2,
                "Storages": {f"fleet.{name}": {"isolation": isolation} for name in NAMES},
                "PackageParams": {"fleet": {"Aos_Database": database}},
            }
        )
    )
    return root


@pytest.mark.parametrize("shared", [True, False])
def test_partitions_and_versions_that_name_one_file_share_one_pool(tmp_path: Path, shared: bool) -> None:
    file = str(tmp_path / "aos.db") if shared else ""
    with Host(tmp_path / "data", environ={}) as host:
        host.deploy(image(tmp_path, "1", file))
        app = host.app("acme.fleet")
        with app.borrow(0) as zero, app.borrow(1) as one:
            first: Database = zero.storage("fleet.Services").database
            assert all(zero.storage(name).database is first for name in zero.storages if "fleet." in name)
            assert (one.storage("fleet.Services").database is first) is shared
            first.of(1).traffic.set("in", 1, 1)
            old = app.current
            host.deploy(image(tmp_path, "2", file))
            with app.borrow(0) as after:
                assert after.storage("fleet.Services").database is first
                traffic = after.scoped("fleet.TrafficMonitor", Scope.COMMANDS)
                assert traffic.find(1, chain="in").value == 1
        assert old.wait_freed(20).problems == ()
        with app.borrow(0) as after:
            assert after.storage("fleet.Layers").database.of(1).traffic.get("in").value == 1
        assert host.warnings == ()
    home = Path(file) if shared else tmp_path / "data/apps/acme.fleet/0/fleet.Config/aos.db"
    with Database.open(home) as database:
        assert database.of(1).traffic.get("in").value == 1


def test_they_are_not_put_into_sidecars_where_each_would_be_alone(tmp_path: Path) -> None:
    with (
        Host(tmp_path / "data", environ={}) as host,
        pytest.raises(DeployError, match="in a sidecar it would be alone"),
    ):
        host.deploy(image(tmp_path, "1", "", "sidecar"))
