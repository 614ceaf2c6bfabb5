"""What a version declares UNIQUE holds from the moment at which it becomes the current one."""

from __future__ import annotations

import pytest

from statehold.hosting import VersionState
from statehold.hosting import _deploying as deploying
from statehold.sdk import DeployError

APP = "acme.shop"
SEATS = "TABLE Seat INHERITS sys.CDoc (Number int32{});"
PLAIN, UNIQUE = SEATS.format(""), SEATS.format(", UNIQUE (Number)")


@pytest.fixture
def first(host, shop):
    return host.deploy(shop(more=PLAIN))


@pytest.fixture
def seat(host, first):
    """Return what appends seats as the first version does, and returns their ids."""
    data = host.app(APP).data.partitions[0]

    def seat(*numbers, version=first):
        unit = data.begin(version.schemas)
        for number in numbers:
            unit.insert(1, version.schemas["shop.Seat"].rows.value(Number=number))
        event = unit.append("sys.CUD", 1, registered_at=1)
        unit.commit()
        return [cud.id for cud in event.cuds]

    return seat


def test_it_holds_for_all_records_there_are(host, shop, first, seat):
    ids = seat(1, 2, 2)
    with pytest.raises(DeployError, match=r"declares UNIQUE what is not: workspace 1 has two .* Number = 2"):
        host.deploy(shop("2", more=UNIQUE), accept_breaking=True)
    assert host.app(APP).current is first
    data = host.app(APP).data.partitions[0]
    unit = data.begin(first.schemas)
    unit.change(1, ids[2], {"Number": 3})
    unit.append("sys.CUD", 1, registered_at=1)
    unit.commit()
    schemas = host.deploy(shop("3", more=UNIQUE), accept_breaking=True).schemas
    reader = data.reader(schemas)
    found = [reader.unique(1, schemas["shop.Seat"], {"Number": number}) for number in (1, 2, 3)]
    assert found == ids


def test_what_the_version_before_appends_meanwhile_is_looked_at_before_the_change(
    host, shop, first, seat, monkeypatch
):
    seat(1)
    make = deploying.make_workspaces

    def meanwhile(*args):
        make(*args)
        seat(1)

    monkeypatch.setattr(deploying, "make_workspaces", meanwhile)
    with pytest.raises(DeployError, match=r"declares UNIQUE what is not: workspace 1 has two .* Number = 1"):
        host.deploy(shop("2", more=UNIQUE), accept_breaking=True)
    assert host.app(APP).current is first
    assert [(one.version, one.state) for one in host.apps()[0].versions] == [("1", VersionState.CURRENT)]


@pytest.mark.parametrize("more", [PLAIN, UNIQUE])
def test_nobody_appends_while_a_version_with_another_unique_becomes_current(host, shop, seat, more):
    seat(1)
    locked = {}
    writing = host.app(APP).data.writing[0]
    host.deploy(
        shop("2", more=more),
        accept_breaking=True,
        progress=lambda line: locked.update({line: writing.locked()}),
    )
    assert locked["make 2 current"] is (more is UNIQUE)
    assert not writing.locked()


def test_a_command_that_does_not_end_keeps_no_other_from_going_on(open_host, shop):
    host = open_host(pending_timeout=0.05)
    first = host.deploy(shop(more=PLAIN))
    data = host.app(APP).data
    with data.writing[0], pytest.raises(DeployError, match=r"keeps partition 0 busy for more than 0\.05 s"):
        host.deploy(shop("2", more=UNIQUE), accept_breaking=True)
    assert host.app(APP).current is first
    assert host.deploy(shop("2", more=UNIQUE), accept_breaking=True) is host.app(APP).current


def test_rolling_back_to_a_unique_that_does_not_hold_any_more_says_so(host, shop, seat):
    second = host.deploy(shop("2", more=UNIQUE), accept_breaking=True)
    seat(1, version=second)
    third = host.deploy(shop("3", more=PLAIN), accept_breaking=True)
    (other,) = seat(1, version=third)
    with pytest.raises(DeployError, match=f"acme.shop 2 declares UNIQUE what is not.*and {other}"):
        host.rollback(APP)
    assert host.app(APP).current is third
    unit = host.app(APP).data.partitions[0].begin(third.schemas)
    unit.change(1, other, {"Number": 2})
    unit.append("sys.CUD", 1, registered_at=1)
    unit.commit()
    host.rollback(APP)
    assert host.app(APP).current.name == "2"


def test_a_version_that_was_ready_is_looked_at_again_before_it_becomes_current(host, shop, first, seat):
    seat(1)
    host.deploy(shop("2", more=UNIQUE), accept_breaking=True, activate=False)
    seat(1)
    with pytest.raises(DeployError, match="declares UNIQUE what is not"):
        host.activate(APP, "2")
    assert host.app(APP).current is first
    assert host.app(APP).is_open("2")
