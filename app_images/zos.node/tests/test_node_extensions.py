from __future__ import annotations

import pytest

from statehold.testing.extensions import Insert, Update

MIB = 2**20


@pytest.fixture
def app(statehold_app):
    """Open a stage with a folder, a store and a disk."""
    app = statehold_app()
    app.put("Pool", Name="photos", Type="hdd", Size=8 * MIB, Used=MIB, Path="/pools/1/data", State="ready")
    app.put("Namespace", Name="index", Type="ssd", Size=MIB, Mode="user", Host="127.0.0.1", Port=9900)
    app.put("Disk", Name="/dev/sdx", Type="hdd", Size=64 * MIB, State="pool", Pool="zos-1", PoolFree=MIB)
    return app


def test_a_folder_is_ordered(app):
    run = app.command("OrderFolder", {"Name": "films", "Type": "hdd", "Size": MIB})
    run.expect(Insert("Pool", Name="films", Type="hdd", Size=MIB))


def test_a_folder_of_another_size_is_not_ordered_by_the_same_name(app):
    run = app.command("OrderFolder", {"Name": "photos", "Type": "hdd", "Size": MIB})
    assert (run.status, run.message) == (409, "there is a folder photos of 8388608 bytes on hdd")


def test_a_folder_is_resized_and_returned(app):
    app.command("ResizeFolder", {"Name": "photos", "Size": MIB}).expect(
        Update("Pool", Name="photos", Size=MIB)
    )
    app.command("ReturnFolder", {"Name": "photos"}).expect(Update("Pool", Name="photos", Released=True))


@pytest.mark.parametrize("command", ["ReturnFolder", "ReturnStore", "GiveUpDisk"])
def test_what_is_not_there_is_not_returned(app, command):
    run = app.command(command, {"Name": "nothing"})
    assert run.status == 404
    assert "nothing" in run.message


def test_a_store_is_ordered_with_a_password_that_is_in_no_event(app):
    run = app.command(
        "OrderStore",
        {"Name": "cache", "Type": "ssd", "Size": MIB, "Mode": "user"},
        unlogged={"Password": "secret"},
    )
    run.expect(Insert("Namespace", Name="cache", Type="ssd", Size=MIB, Mode="user", Password="secret"))


def test_a_store_is_frozen(app):
    run = app.command("FreezeStore", {"Name": "index", "Frozen": True})
    run.expect(Update("Namespace", Name="index", Frozen=True))


def test_a_disk_is_given_up(app):
    app.command("GiveUpDisk", {"Name": "/dev/sdx"}).expect(Update("Disk", Name="/dev/sdx", Failing=True))


def test_all_is_told(app):
    (folder,) = app.query("Folders").results
    assert folder["Name"] == "photos"
    assert folder["Path"] == "/pools/1/data"
    (store,) = app.query("Stores").results
    assert (store["Host"], store["Port"]) == ("127.0.0.1", 9900)
    (disk,) = app.query("Disks").results
    assert (disk["Name"], disk["PoolFree"]) == ("/dev/sdx", MIB)
