"""Versions that were current before stay open, so that to roll back to them is a swap."""

from __future__ import annotations

import pytest

from statehold.hosting import VersionState
from statehold.images import build_image
from statehold.sdk import HostError, ImageError, Scope

APP = "acme.kitchen"

WARM = """
STATESTORAGE ENGINE BUILTIN (
  STORAGE Warm (GET SCOPE(COMMANDS, QUERIES), INSERT SCOPE(COMMANDS))
  KEY (Device text NOT NULL) VALUE (Reading int64)
  WITH PROVIDER=Ephemeral;
)
"""


def states(host):
    (found,) = host.apps()
    return {one.version: one.state.value for one in found.versions}


def storages(version, name="kitchen.Scada"):
    return [partition.storage(name) for partition in version.partitions]


def insert(host, device, reading):
    with host.app(APP).borrow() as partition:
        facade = partition.scoped("kitchen.Warm", Scope.COMMANDS)
        intent = facade.insert(facade.key(1, Device=device), {"Reading": reading})
        partition.storage("kitchen.Warm").apply_batch([intent])


def warm(host, device):
    with host.app(APP).borrow() as partition:
        found = partition.scoped("kitchen.Warm", Scope.QUERIES).find(1, Device=device)
        return None if found is None else found.Reading


def without_resume(kitchen, version):
    """Build an image whose storages take over when they are opened, and only then."""
    root = kitchen.source(version)
    (code,) = root.rglob("kitchen_devices/__init__.py")
    code.write_text(code.read_text().replace("def resume", "def take_back"))
    return build_image(root, root.parent / f"{version}.shi")


def test_the_version_before_stays_open_and_to_roll_back_to_it_is_a_swap(open_host, kitchen):
    host = open_host(keep=1)
    first = host.deploy(kitchen("1", parts=2))
    opened = storages(first)
    second = host.deploy(kitchen("2", parts=2))
    assert states(host) == {"1": "ready", "2": "current"}
    assert host.rollback(APP) is first
    assert storages(first) == opened
    assert states(host) == {"1": "current", "2": "ready"}
    assert host.rollback(APP) is second


def test_by_default_the_version_before_is_freed(host, kitchen):
    first = host.deploy(kitchen("1"))
    host.deploy(kitchen("2"))
    assert first.wait_freed(60).problems == ()
    assert host.app(APP).kept == ()


def test_versions_beyond_those_that_are_kept_are_freed(open_host, kitchen):
    host = open_host(keep=2)
    versions = [host.deploy(kitchen(str(number))) for number in range(1, 6)]
    for version in versions[:2]:
        assert version.wait_freed(60).problems == ()
    assert host.app(APP).kept == (versions[3], versions[2])
    assert states(host) == {"3": "ready", "4": "ready", "5": "current"}
    assert host.activate(APP, "3") is versions[2]
    assert host.app(APP).kept == (versions[4], versions[3])
    assert states(host) == {"3": "current", "4": "ready", "5": "ready"}


def test_a_storage_that_was_kept_resumes_from_the_one_that_was_current(open_host, kitchen):
    host = open_host(keep=1)
    first = host.deploy(kitchen("1", parts=2))
    host.deploy(kitchen("2", parts=2))
    assert [one.taken_over for one in storages(first)] == [None, None]
    host.rollback(APP)
    assert [one.taken_over for one in storages(first)] == ["2", "2"]


def test_a_version_with_a_storage_that_cannot_resume_is_opened_anew(open_host, kitchen):
    host = open_host(keep=1)
    first = host.deploy(without_resume(kitchen, "1"))
    host.deploy(without_resume(kitchen, "2"))
    again = host.rollback(APP)
    assert again is not first
    assert again is host.app(APP).current
    assert [one.taken_over for one in storages(again)] == ["2"]
    assert first.wait_freed(60).problems == ()
    assert states(host) == {"1": "current", "2": "ready"}


def test_a_version_of_which_a_storage_fails_to_resume_is_opened_anew(open_host, kitchen):
    host = open_host(keep=1)
    first = host.deploy(kitchen("1", fail="resume Scada 0"))
    host.deploy(kitchen("2"))
    assert host.rollback(APP) is not first
    assert host.warnings == ("acme.kitchen 1 is opened anew: it could not resume: told to fail: resume",)
    assert first.wait_freed(60).problems == ()


def test_a_version_that_cannot_be_opened_anew_is_still_kept(open_host, kitchen, tmp_path):
    host = open_host(keep=1)
    first = host.deploy(kitchen("1", fail="resume Scada 0"))
    second = host.deploy(kitchen("2"))
    (tmp_path / "data" / "images" / f"{first.digest}.shi").write_bytes(b"")
    with pytest.raises(ImageError):
        host.rollback(APP)
    assert host.app(APP).current is second
    assert host.app(APP).kept == (first,)


def test_rows_in_memory_that_were_written_meanwhile_are_there_after_a_roll_back(open_host, kitchen):
    host = open_host(keep=1)
    first = host.deploy(kitchen("1", more=WARM))
    insert(host, "oven", 1)
    host.deploy(kitchen("2", more=WARM))
    insert(host, "oven", 2)
    insert(host, "grill", 3)
    assert host.rollback(APP) is first
    assert (warm(host, "oven"), warm(host, "grill")) == (2, 3)


def test_undeploy_frees_what_is_kept(open_host, kitchen):
    host = open_host(keep=2)
    versions = [host.deploy(kitchen(number)) for number in "123"]
    host.undeploy(APP, "2")
    assert versions[1].wait_freed(60).problems == ()
    assert states(host) == {"1": "ready", "3": "current"}
    host.undeploy(APP)
    assert [version.wait_freed(60).problems for version in versions] == [(), (), ()]


def test_what_was_kept_is_open_again_after_a_restart(open_host, kitchen):
    host = open_host(keep=2)
    for number in "1234":
        host.deploy(kitchen(number, more=WARM))
    host.close()
    host = open_host(keep=2)
    assert states(host) == {"2": "ready", "3": "ready", "4": "current"}
    assert [version.name for version in host.app(APP).kept] == ["3", "2"]
    insert(host, "oven", 7)
    assert host.rollback(APP).name == "3"
    assert warm(host, "oven") == 7


def test_a_host_that_keeps_fewer_brings_fewer_back(open_host, kitchen):
    host = open_host(keep=2)
    for number in "123":
        host.deploy(kitchen(number))
    host.close()
    host = open_host(keep=0)
    assert states(host) == {"1": "previous", "2": "previous", "3": "current"}
    third = host.app(APP).current
    assert host.rollback(APP).name == "2"
    third.wait_freed(60)
    assert states(host) == {"2": "current", "3": "previous"}


def test_a_kept_version_that_is_deployed_again_is_current_again(open_host, kitchen):
    host = open_host(keep=1)
    image = kitchen("1")
    first = host.deploy(image)
    host.deploy(kitchen("2"))
    assert host.deploy(image) is first
    assert first.state is VersionState.CURRENT


def test_what_is_not_deployed_cannot_be_rolled_back_to(open_host, kitchen):
    host = open_host(keep=1)
    host.deploy(kitchen("1"))
    with pytest.raises(HostError, match="no version before"):
        host.rollback(APP)
