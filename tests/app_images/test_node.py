"""zos.node on a host: what tenants order, on a folder of the app and on a node of an operator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, ProcessingError, Request, Runtime
from statehold.sdk import DeployError, Scope, fields
from statehold.testing import assert_denied
from statehold_zdb.client import Client, Place, ReplyError
from statehold_zos.config import read_config
from statehold_zos.node import Node

SAMPLE = Path(__file__).parents[2] / "app_images" / "zos.node"
APP = "zos.node"
HERE = Request(app=APP, workspace=1, principal=SYSTEM)
MIB = 2**20
PASSWORD = "correct horse battery"


@attrs.frozen
class Hosted:
    """The app on a host."""

    host: Host
    runtime: Runtime
    folder: Path

    def do(self, name: str, unlogged: dict[str, object] | None = None, **args: object) -> None:
        self.runtime.command(HERE, f"node.{name}", args, unlogged=unlogged)

    def ask(self, name: str) -> dict[object, dict[str, object]]:
        return {row.Name: fields(row) for row in self.runtime.query(HERE, f"node.{name}", {})}

    def view(self, name: str, **key: object) -> list[Any]:
        return self.runtime.view(HERE, f"node.{name}", constraints={"where": key})


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """Deploy the app; each test takes names of its own. What is left at the end is given back."""
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(SAMPLE, folder / APP, ignore=shutil.ignore_patterns("__pycache__"))
    with Host(folder / "data") as host, Runtime(host) as runtime:
        host.deploy(folder / APP)
        hosted = Hosted(host, runtime, folder)
        try:
            yield hosted
        finally:
            release_all(host)


def release_all(host: Host) -> None:
    """Release everything at once, so that no server outlives its test."""
    with host.app(APP).borrow() as partition:
        node: Node = partition.storage("node.Disk").node
        for namespace in node.namespaces.list():
            node.namespaces.release(namespace.id, now=True)
        node.reconcile()
        assert node.namespaces.processes() == []


def test_a_folder_is_ordered_filled_resized_and_returned(node: Hosted) -> None:
    node.do("OrderFolder", Name="photos", Type="ssd", Size=8 * MIB)
    node.do("OrderFolder", Name="photos", Type="ssd", Size=8 * MIB)
    path = Path(str(node.ask("Folders")["photos"]["Path"]))
    (path / "one").write_bytes(b"x" * MIB)
    told = node.ask("Folders")["photos"]
    assert (told["Size"], told["Used"], told["State"]) == (8 * MIB, MIB, "ready")
    with pytest.raises(ProcessingError, match="holds 1,048,576 bytes, and cannot get 4,096"):
        node.do("ResizeFolder", Name="photos", Size=4096)
    node.do("ResizeFolder", Name="photos", Size=16 * MIB)
    assert node.ask("Folders")["photos"]["Size"] == 16 * MIB
    node.do("ReturnFolder", Name="photos")
    assert "photos" not in node.ask("Folders")
    assert not path.exists()


def test_what_does_not_fit_is_refused_before_anything_is_done(node: Hosted) -> None:
    with pytest.raises(ProcessingError, match=r"no ssd pool has room for 'everything', 1 GiB"):
        node.do("OrderFolder", Name="everything", Type="ssd", Size=2**30)
    with pytest.raises(ProcessingError, match="expected 'ssd' or 'hdd'"):
        node.do("OrderFolder", Name="odd", Type="zip", Size=MIB)
    assert not {"everything", "odd"} & node.ask("Folders").keys()


def test_a_store_is_ordered_used_frozen_and_returned_and_its_password_is_nowhere(node: Hosted) -> None:
    node.do("OrderStore", {"Password": PASSWORD}, Name="index", Type="ssd", Size=MIB, Mode="user")
    store = node.ask("Stores")["index"]
    place = Place(host=str(store["Host"]), port=int(str(store["Port"])), namespace=str(store["Id"]))
    client = Client(place, password=PASSWORD)
    try:
        client.call(b"SET", b"key", b"value")
        node.do("FreezeStore", Name="index", Frozen=True)
        assert node.ask("Stores")["index"]["State"] == "frozen"
        with pytest.raises(ReplyError):
            client.call(b"SET", b"key", b"other")
        node.do("FreezeStore", Name="index", Frozen=False)
        client.call(b"SET", b"key", b"other")
    finally:
        client.close()
    with pytest.raises(ReplyError):
        Client(place, password="")
    files = [path for path in node.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    node.do("ReturnStore", Name="index")
    assert "index" not in node.ask("Stores")


def test_what_was_ordered_is_noted_and_what_there_is_measured(node: Hosted) -> None:
    node.do("OrderFolder", Name="noted", Type="ssd", Size=MIB)
    node.do("ReturnFolder", Name="noted")
    assert node.runtime.wait_for_projectors(APP, timeout=60)
    year = datetime.now(UTC).year
    rows = [row for each in (year - 1, year) for row in node.view("Journal", Year=each)]
    noted = [row for row in rows if row["Name"] == "noted"]
    assert [(row["What"], row.get("Size")) for row in noted] == [("OrderFolder", MIB), ("ReturnFolder", None)]
    node.runtime.run_job(APP, "node.Measure")
    (capacity,) = node.view("Capacity", Node=1)
    assert (capacity["Type"], capacity["Size"]) == ("ssd", 64 * MIB)
    (disk,) = node.ask("Disks").values()
    assert "advisory" in str(disk["Limits"])


def test_a_query_may_look_and_not_reserve(node: Hosted) -> None:
    with node.host.app(APP).borrow() as partition:
        queries = partition.scoped("node.Pool", Scope.QUERIES)
        key = queries.key(1, Name="sneaky")
        assert queries.get(key) is None
        error = assert_denied(queries.insert, key, {"Type": "ssd", "Size": MIB})
        assert (error.storage, "INSERT in COMMANDS" in str(error)) == ("node.Pool", True)
        folders = partition.facades("node.Folders")
        assert_denied(folders["node.Pool"].insert, key, {"Type": "ssd", "Size": MIB})
        assert "node.Disk" not in folders


def test_a_node_of_the_operator_is_used_where_the_operator_allows_it(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / APP, ignore=shutil.ignore_patterns("__pycache__"))
    disk, config = tmp_path / "disk", tmp_path / "zos.toml"
    config.write_text(f'folder = "node"\n[[plain]]\npath = "{disk}"\nsize = "32 MiB"\ntype = "hdd"\n')
    with Node(read_config(config)) as node:
        node.disks.prepare()
    descriptor = {
        "Version": "1",
        "NumAppWorkspaces": 1,
        "PackageParams": {"node": {"Node_Config": str(config)}},
    }
    (tmp_path / APP / "descriptor.json").write_text(json.dumps(descriptor))
    with Host(tmp_path / "data") as host, Runtime(host, jobs=False) as runtime:
        with pytest.raises(DeployError, match="may not use the node of"):
            host.deploy(tmp_path / APP)
        descriptor["Storages"] = {"node.Disk": {"allow": {"zos": [str(config)]}}}
        (tmp_path / APP / "descriptor.json").write_text(json.dumps(descriptor))
        host.deploy(tmp_path / APP)
        hosted = Hosted(host, runtime, tmp_path)
        hosted.do("OrderFolder", Name="photos", Type="hdd", Size=MIB)
        assert Path(str(hosted.ask("Folders")["photos"]["Path"])).is_relative_to(disk)
        with Node(read_config(config)) as node:
            (space,) = node.pools.list()
            assert (space.name, space.owner) == ("photos", "zos.node/node.Pool/0/1")
        hosted.do("GiveUpDisk", Name=str(disk))
        assert hosted.ask("Disks")[str(disk)]["State"] == "failing"
        with pytest.raises(ProcessingError, match="no hdd pool has room"):
            hosted.do("OrderFolder", Name="more", Type="hdd", Size=MIB)
