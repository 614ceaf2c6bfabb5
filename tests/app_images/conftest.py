from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from statehold.cli.demo import RatesServer
from statehold.hosting import Host
from statehold.processing import SYSTEM, Request, Runtime

sys.path.insert(0, str(Path(__file__).parents[1]))

from people import Person

SAMPLES = Path(__file__).parents[2] / "app_images"


@pytest.fixture
def bills(tmp_path: Path) -> Path:
    """Return a copy of acme.bills, at version 1."""
    ignore = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(SAMPLES / "acme.bills", tmp_path / "acme.bills", ignore=ignore))


@pytest.fixture
def hello() -> Path:
    """Return acme.hello."""
    return SAMPLES / "acme.hello"


@pytest.fixture
def bank() -> Iterator[RatesServer]:
    """Run a server of exchange rates."""
    with RatesServer() as server:
        yield server


@pytest.fixture
def host(tmp_path: Path, bank: RatesServer) -> Iterator[Host]:
    """Run a host that knows the kitchen's password and the bank's address."""
    environ = {"STATEHOLD_SECRET_SCADA_PASSWORD": "let me in", "STATEHOLD_SECRET_RATES_URL": bank.url}
    with Host(tmp_path / "data", environ=environ) as host:
        yield host


@attrs.frozen(kw_only=True)
class Restaurant:
    """A workspace of acme.bills, and who works there."""

    runtime: Runtime
    workspace: int
    menu: Mapping[str, int]

    def person(self, name: str, role: str) -> Person:
        return Person.of(self.runtime, "acme.bills", self.workspace, name=name, role=role)


@pytest.fixture
def restaurant(host: Host, runtime: Runtime, bills: Path) -> Restaurant:
    """Deploy acme.bills, and open a restaurant with soup and pizza."""
    host.deploy(bills)
    owner = Request(app="acme.bills", workspace=1, principal=SYSTEM)
    made = runtime.create_workspace(owner, "bills.RestaurantWS", name="Da Ada")
    place = Request(app="acme.bills", workspace=made.workspace, principal=SYSTEM)
    menu = {}
    for code, price in (("soup", 65_000), ("pizza", 120_000)):
        dish = {"sys.ID": 1, "Code": code, "Name": code.title(), "Price": price}
        menu[code] = runtime.create(place, "bills.Dish", dish).new_ids[1]
    return Restaurant(runtime=runtime, workspace=made.workspace, menu=menu)
