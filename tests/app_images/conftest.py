from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from statehold.cli.demo import RatesServer
from statehold.hosting import Host
from statehold.processing import SYSTEM, CommandAnswer, Request, Runtime
from statehold.sdk import Principal

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


@pytest.fixture
def runtime(host: Host) -> Iterator[Runtime]:
    """Run the apps of the host."""
    with Runtime(host) as runtime:
        yield runtime


@attrs.frozen(kw_only=True)
class Person:
    """Somebody with a role in a workspace of acme.bills."""

    runtime: Runtime
    request: Request

    def command(self, name: str, /, **args: Any) -> CommandAnswer:
        return self.runtime.command(self.request, f"bills.{name}", args)

    def query(self, name: str, /, **args: Any) -> list[dict[str, Any]]:
        return msgspec.to_builtins(self.runtime.query(self.request, f"bills.{name}", args))

    def view(self, name: str, /, **where: Any) -> list[dict[str, Any]]:
        found = self.runtime.view(self.request, f"bills.{name}", constraints={"where": where})
        return msgspec.to_builtins(found)


@attrs.frozen(kw_only=True)
class Restaurant:
    """A workspace of acme.bills, and who works there."""

    runtime: Runtime
    workspace: int
    menu: Mapping[str, int]

    def person(self, name: str, role: str) -> Person:
        principal = Principal(name=name, kind=1, roles={self.workspace: frozenset({f"bills.{role}"})})
        return Person(
            runtime=self.runtime,
            request=Request(app="acme.bills", workspace=self.workspace, principal=principal),
        )


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
