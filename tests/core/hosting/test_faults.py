"""What a host does when its disk is full, cannot be written, or holds what is not its own."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from statehold.hosting import Host
from statehold.images import AppImage
from statehold.sdk import DeployError, HostError, Scope


def reading(host, app="acme.kitchen"):
    with host.app(app).borrow() as borrowed:
        return borrowed.scoped("kitchen.Scada", Scope.QUERIES).find(1, Device="oven").Reading


def deploy_all(host, images):
    for image in images:
        host.deploy(image)


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("folder", ["/proc/statehold", "/sys/statehold", "/dev/null/statehold"])
def test_a_folder_that_cannot_be_made_is_a_host_error(folder):
    with pytest.raises(HostError, match=r"the data folder .* cannot be made: .*write access"):
        Host(Path(folder))


def test_a_folder_whose_name_is_not_utf_8_is_a_host_error(tmp_path):
    with pytest.raises(HostError, match=r"is not UTF-8: .*\\xff.*another folder"):
        Host(tmp_path / os.fsdecode(b"\xff"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_host_error(tmp_path):
    (tmp_path / "data").mkdir(mode=0o500)
    with pytest.raises(HostError, match="write access"):
        Host(tmp_path / "data")


def test_a_full_disk_while_the_image_is_kept_changes_nothing(host, kitchen, monkeypatch):
    host.deploy(kitchen("1"))
    image = kitchen("2")
    with monkeypatch.context() as patched:
        patched.setattr(AppImage, "save", full)
        with pytest.raises(HostError, match=r"No space left on device.*Make room"):
            host.deploy(image)
    assert reading(host) == 1000
    assert host.deploy(kitchen("3")).name == "3"


def test_a_full_disk_while_a_plugin_is_copied_changes_nothing(host, kitchen, monkeypatch):
    host.deploy(kitchen("1"))
    image = kitchen("2")
    with monkeypatch.context() as patched:
        patched.setattr("statehold.loading._files.os.write", full)
        with pytest.raises(DeployError, match=r"No space left on device.*Make room"):
            host.deploy(image)
    assert reading(host) == 1000
    host.deploy(image)
    assert reading(host) == 2000


def test_a_full_disk_while_a_data_folder_is_made_changes_nothing(host, kitchen, monkeypatch):
    image = kitchen("1")
    with monkeypatch.context() as patched:
        patched.setattr("statehold.hosting._context.Path.mkdir", full)
        with pytest.raises(DeployError, match="No space left on device"):
            host.deploy(image)
    assert host.apps() == ()


def test_a_registry_that_cannot_grow_changes_nothing_and_frees_the_new_version(host, kitchen):
    host.deploy(kitchen("1"))
    host._registry.transact(lambda db: list(db.query("PRAGMA max_page_count = 1")))
    # Rows fill the page that is there; the next one finds no room.
    images = [kitchen("2", app=f"acme.{'x' * 40}{number}") for number in range(30)]
    with pytest.raises(HostError, match=r"database or disk is full.*Nothing was changed"):
        deploy_all(host, images)
    assert reading(host) == 1000
    host._registry.transact(lambda db: list(db.query("PRAGMA max_page_count = 100000")))
    running = {(status.app, version.version) for status in host.apps() for version in status.versions}
    for version in host._retirer.live:
        if (version.app, version.name) not in running:
            version.wait_freed(60)
    assert {(version.app, version.name) for version in host._retirer.live} == running


def test_a_defect_while_a_version_is_freed_is_reported_and_nobody_waits_for_ever(host, kitchen, monkeypatch):
    def fail(_):
        raise RuntimeError("out of luck")

    version = host.deploy(kitchen("1"))
    with monkeypatch.context() as patched:
        patched.setattr("statehold.hosting._retiring.VersionPlugins.survivors", fail)
        host.deploy(kitchen("2"))
        problem = "acme.kitchen 1 could not be freed: RuntimeError: out of luck"
        assert version.wait_freed(60).problems == (problem,)
    assert host.warnings == (problem,)
    assert reading(host) == 2000


def test_strange_files_in_the_data_folder_are_cleaned_and_do_no_harm(open_host, kitchen, tmp_path):
    host = open_host()
    host.deploy(kitchen("1"))
    host.close()
    for name in ("images/.half.shi.tmp", "images/feed.shi", "storages/feed.whl", "storages/.feed.whl.1.tmp"):
        (tmp_path / "data" / name).write_bytes(b"half")
    host = open_host()
    assert reading(host) == 1000
    assert len(list((tmp_path / "data/images").iterdir())) == 1
    assert len(list((tmp_path / "data/storages").iterdir())) == 1


def test_a_plugin_file_that_was_tampered_with_is_replaced_by_the_one_of_the_image(
    open_host, kitchen, tmp_path
):
    host = open_host()
    host.deploy(kitchen("1"))
    host.close()
    (plugin,) = (tmp_path / "data/storages").iterdir()
    plugin.unlink()
    plugin.write_bytes(b"something else")
    host = open_host()
    assert reading(host) == 1000


def test_threads_may_deploy_at_once(host, kitchen):
    apps = ["acme.kitchen", "acme.canteen"]
    images = [kitchen(version, app=app) for app in apps for version in "1234"]
    errors = []

    def deploy(image):
        try:
            host.deploy(image)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=deploy, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for status in host.apps():
        assert reading(host, status.app) == int(status.current) * 1000
        assert status.previous is not None
