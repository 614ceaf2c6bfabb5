from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from people import Person

from statehold.hosting import Host
from statehold.processing import SYSTEM, ProcessingError, Request
from statehold.sdk import DeployError, Field, Scope, Secret, StorageError
from statehold.state import apply_intents
from statehold.testing import StorageConformance

STORAGES = Path(__file__).parents[2] / "app_images/acme.bills/image/pkg/acme.example/bills/storages"


def _insert(partition, storage, scope, key, value):
    facade = partition.scoped(storage, scope)
    intent = facade.insert(facade.key(1, **key), value)
    apply_intents({storage: partition.storage(storage)}, {storage: [intent]})


def _oven(partition):
    scada = partition.scoped("bills.Scada", Scope.QUERIES)
    return scada.get(scada.key(1, Device="oven", Point="heat"))


def _set_oven(partition, *readings):
    for reading in readings:
        key = {"Device": "oven", "Point": "heat"}
        _insert(partition, "bills.Scada", Scope.COMMANDS, key, {"Reading": reading})


def test_two_versions_of_its_plugin_answer_side_by_side(host, bills):
    host.deploy(bills)
    shutil.copytree(bills / "version-2", bills, dirs_exist_ok=True)
    host.deploy(bills, activate=False)
    app = host.app("acme.bills")
    with app.borrow() as first, app.borrow(version="2") as second:
        _set_oven(first, 180.0, 184.0, 206.0)
        assert (_oven(first)["Reading"], _oven(second)["Reading"]) == (206.0, 190.0)


def test_readings_outlive_an_upgrade(host, bills):
    host.deploy(bills)
    with host.app("acme.bills").borrow() as partition:
        _set_oven(partition, 200.0)
    shutil.copytree(bills / "version-2", bills, dirs_exist_ok=True)
    host.deploy(bills)
    with host.app("acme.bills").borrow() as partition:
        assert _oven(partition)["Reading"] == 200.0


def test_its_plugin_does_the_same_in_a_sidecar(host, bills, runtime):
    """Commands and queries, and the next version, which is in the host again, has what was set."""
    descriptor = json.loads((bills / "descriptor.json").read_text("utf-8"))
    descriptor["Storages"]["bills.Scada"] = {"isolation": "sidecar", "limits": {"memory_mib": 128}}
    (bills / "descriptor.json").write_text(json.dumps(descriptor))
    host.deploy(bills)
    owner = Request(app="acme.bills", workspace=1, principal=SYSTEM)
    made = runtime.create_workspace(owner, "bills.RestaurantWS", name="Da Ada")
    cook = Person.of(runtime, "acme.bills", made.workspace, name="cem", role="Cook")
    cook.command("SetPoint", Device="oven", Point="heat", Reading=185.0)
    assert cook.query("Kitchen", Device="oven", Point="heat")[0]["Reading"] == 185.0
    with pytest.raises(ProcessingError, match="9000"):
        cook.command("SetPoint", Device="oven", Point="heat", Reading=9000.0)
    with host.app("acme.bills").borrow(made.workspace % 2) as partition:
        assert type(partition.storage("bills.Scada")).__mro__[-2].__name__ == "SidecarStorage"
    shutil.copytree(bills / "version-2", bills, dirs_exist_ok=True)
    host.deploy(bills, accept_breaking=True)
    assert cook.query("Kitchen", Device="oven", Point="heat")[0]["Reading"] == 185.0


def test_without_the_secret_it_is_not_deployed(bills, tmp_path):
    with Host(tmp_path / "bare", environ={}) as host, pytest.raises(DeployError, match="Scada_Password"):
        host.deploy(bills)


def test_an_impossible_temperature_is_refused(host, bills):
    host.deploy(bills)
    with host.app("acme.bills").borrow() as partition, pytest.raises(StorageError, match="9000"):
        _set_oven(partition, 9000.0)


def _scada():
    """Return the provider as its author imports it."""
    sys.path.insert(0, str(STORAGES))
    try:
        return importlib.import_module("bills_scada").provider
    finally:
        sys.path.remove(str(STORAGES))


class TestScada(StorageConformance):
    provider = _scada()
    isolations = ("inprocess", "sidecar")
    config = {"URL": "kitchen:8766", "Password": Secret("let me in")}
    key = (Field("Device", "text", required=True), Field("Point", "text", required=True))
    rows = (
        ({"Device": "oven", "Point": "heat"}, {"Reading": 180.5, "At": 1}),
        ({"Device": "fridge", "Point": "heat"}, {"Reading": 4.0, "At": 2}),
    )
    refused = (({"Device": "oven", "Point": "heat"}, {"Reading": 9000.0}),)
    secrets = {"Scada_Password": "let me in"}
    any_row = False
    durable = True
