"""The storage `Launcher`, as extensions of an app use it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet import ANN, BOB, PATIENCE, Fleet

from statehold.sdk import StorageError


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as fleet:
        yield fleet


def test_services_are_installed_switched_and_removed_by_rows(fleet: Fleet) -> None:
    fleet.image("nav")
    rows = fleet.services
    everything, nav = rows.key(1, Service=""), rows.key(1, Service="nav")
    assert rows.facade.get(everything) is None
    rows.insert(everything, {"Users": ANN})
    rows.insert(nav, {"Image": "nav-1"})
    fleet.runs("nav")
    row = rows.facade.get(nav)
    assert (row.Version, row.Users, row.Status, row.Image, row.Message) == (1, ANN, "running", None, None)
    assert row.Pid
    assert row.Since
    assert rows.facade.get(everything).Status == "1 of 1 running"
    assert [key.Service for key, _ in rows.facade.read(rows.prefix(1))] == ["", "nav"]
    rows.update(nav, row, {"Restart": True})
    fleet.sees("nav", lambda one: one.phase == "running" and one.pid != row.Pid)
    rows.update(everything, rows.facade.get(everything), {"Users": BOB})
    fleet.sees("nav", lambda one: one.phase == "installed")
    assert rows.facade.get(nav).Users is None
    rows.update(nav, rows.facade.get(nav), {"Purged": True})
    assert fleet.launcher.wait(lambda: rows.facade.get(nav) is None, PATIENCE)


@pytest.mark.parametrize(
    ("service", "value", "why"),
    [
        ("", {"Users": "ann"}, "Users is 'ann', expected a JSON list of texts"),
        ("", {}, "Users is None, expected a JSON list of texts"),
        ("nav", {}, "nothing is asked for, expected one of Image, Removed, Purged, Restart"),
        ("nav", {"Image": "nav-1", "Restart": True}, "Image and Restart is asked for"),
        ("nav", {"Image": "../../etc"}, "the image '../../etc' is not below"),
        ("nav", {"Image": "/etc"}, "the image '/etc' is not below"),
        ("nav", {"Image": "."}, "the image '.' is not below"),
        ("nav", {"Image": "link"}, "the image 'link' is not below"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    fleet: Fleet, service: str, value: dict[str, object], why: str
) -> None:
    fleet.image("nav")
    (fleet.folder / "images/link").symlink_to("/etc")
    with pytest.raises(StorageError, match=why):
        fleet.services.insert(fleet.services.key(1, Service=service), value)


def test_without_a_folder_of_images_nothing_is_installed(tmp_path: Path) -> None:
    with (
        Fleet(tmp_path, Images="") as fleet,
        pytest.raises(StorageError, match="nobody says where images are"),
    ):
        fleet.services.insert(fleet.services.key(1, Service="nav"), {"Image": "nav-1"})


def test_two_changes_in_one_call_are_refused_as_a_whole(fleet: Fleet) -> None:
    keys = [fleet.services.key(1, Service=""), fleet.services.key(2, Service="")]
    both = [fleet.services.facade.insert(key, {"Users": ANN}) for key in keys]
    with pytest.raises(StorageError, match="2 changes in one call"):
        fleet.services.apply(both)
    assert fleet.launcher.users(1) == []


def test_workspaces_are_apart(fleet: Fleet) -> None:
    fleet.image("nav")
    rows = fleet.services
    rows.insert(rows.key(1, Service=""), {"Users": ANN})
    rows.insert(rows.key(2, Service=""), {"Users": ANN})
    rows.insert(rows.key(1, Service="nav"), {"Image": "nav-1"})
    rows.insert(rows.key(2, Service="nav"), {"Image": "nav-1"})
    for workspace in (1, 2):
        key = rows.key(workspace, Service="nav")
        assert fleet.launcher.wait(lambda key=key: rows.facade.get(key).Status == "running", PATIENCE)
    pids = {rows.facade.get(rows.key(workspace, Service="nav")).Pid for workspace in (1, 2)}
    assert len(pids) == 2
    rows.insert(rows.key(1, Service=""), {"Users": BOB})
    fleet.sees("nav", lambda one: one.phase == "installed")
    assert rows.facade.get(rows.key(2, Service="nav")).Status == "running"
