from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, CommandAnswer, Request, Runtime
from statehold.sdk import Principal

IMAGE = Path(__file__).parent / "acme.pos"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Run a host without anything."""
    with Host(tmp_path / "data") as host:
        yield host


@pytest.fixture
def runtime(host: Host) -> Iterator[Runtime]:
    """Run the apps of the host."""
    with Runtime(host) as runtime:
        yield runtime


@attrs.frozen(kw_only=True)
class Restaurant:
    """A workspace of acme.pos, and its waiter."""

    runtime: Runtime
    request: Request

    def command(self, name: str, /, **args: Any) -> CommandAnswer:
        return self.runtime.command(self.request, name, args)

    def query(self, name: str, /, **args: Any) -> list[dict[str, Any]]:
        return self.runtime.query(self.request, name, args)

    def order(self, table: int, dish: str, price: int) -> CommandAnswer:
        return self.command("pos.PlaceOrder", TableNumber=table, Waiter="ada", Dish=dish, Price=price)

    def settled(self) -> None:
        assert self.runtime.wait_for_projectors("acme.pos", timeout=60)


@pytest.fixture
def restaurant(host: Host, runtime: Runtime) -> Restaurant:
    """Deploy the image as it is, and open a restaurant."""
    host.deploy(IMAGE)
    owner = Request(app="acme.pos", workspace=1, principal=SYSTEM)
    made = runtime.create_workspace(owner, "pos.RestaurantWS", name="Da Ada", data={"City": "Rome"})
    waiter = Principal(name="ada", kind=1, roles={made.workspace: frozenset({"pos.Waiter"})})
    return Restaurant(
        runtime=runtime, request=Request(app="acme.pos", workspace=made.workspace, principal=waiter)
    )
