from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, CommandAnswer, Request, Runtime

sys.path.insert(0, str(Path(__file__).parents[1]))

from people import Person

IMAGE = Path(__file__).parent / "acme.pos"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Run a host without anything."""
    with Host(tmp_path / "data") as host:
        yield host


class Waiter(Person):
    """A waiter of a restaurant of acme.pos."""

    def order(self, table: int, dish: str, price: int) -> CommandAnswer:
        return self.command("PlaceOrder", TableNumber=table, Waiter="ada", Dish=dish, Price=price)

    def settled(self) -> None:
        assert self.runtime.wait_for_projectors("acme.pos", timeout=60)


@pytest.fixture
def restaurant(host: Host, runtime: Runtime) -> Waiter:
    """Deploy the image as it is, open a restaurant, and return its waiter."""
    host.deploy(IMAGE)
    owner = Request(app="acme.pos", workspace=1, principal=SYSTEM)
    made = runtime.create_workspace(owner, "pos.RestaurantWS", name="Da Ada", data={"City": "Rome"})
    return Waiter.of(runtime, "acme.pos", made.workspace, name="ada", role="Waiter")
