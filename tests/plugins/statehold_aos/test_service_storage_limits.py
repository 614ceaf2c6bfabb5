from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from file_systems import fill, mount, run, unmount_all

from statehold.sdk import StorageError
from statehold.testing import open_storage
from statehold_aos.service_storage import provider
from statehold_quota._btrfs import _ioctl

MIB = 2**20
LIMIT = 8 * MIB
ANN, BOB = '["ann"]', '["bob"]'
USER = 1_900_000_003
OFF, SIMPLE, QGROUP = 2, 4, 1


def open_on(root, data, **config):
    return open_storage(provider, data_folder=data, config={"Root": str(root), **config})


def claims(storage, *users, limit=LIMIT, service="radio"):
    """Give a service a limit and claims; return their folders."""
    storage.insert(storage.key(1, Service=service, Users=""), {"StorageLimit": limit, "Uid": USER})
    found = []
    for who in users:
        key = storage.key(1, Service=service, Users=who)
        storage.insert(key, {})
        found.append(storage.storage.folder(key))
    return found


def row(storage, users="", *, service="radio"):
    return storage.facade.get(storage.key(1, Service=service, Users=users))


@pytest.fixture(params=[SIMPLE, QGROUP], ids=["simple", "qgroup"])
def disk(btrfs, request):
    _ioctl.quota(btrfs, request.param)
    if request.param == QGROUP:
        _ioctl.rescan(btrfs)
    return btrfs


@pytest.mark.parametrize("uid", [0, USER], ids=["root", "service-user"])
def test_the_claims_of_a_service_share_its_limit(disk, tmp_path, uid):
    with open_on(disk, tmp_path) as storage:
        ann, bob = claims(storage, ANN, BOB)
        (other,) = claims(storage, ANN, service="map")
        assert fill(ann, 5 * MIB, uid=uid) == (5 * MIB, "")
        written, refused = fill(bob, 5 * MIB, uid=uid)
        assert (refused, written <= 3 * MIB) == ("EDQUOT", True)
        assert fill(other, 5 * MIB, uid=uid) == (5 * MIB, "")
        run("sync", "-f", disk)
        assert 5 * MIB <= row(storage, ANN).Used <= 5.3 * MIB
        assert 7 * MIB <= row(storage).Used <= LIMIT
        assert "advisory" not in row(storage).Quota
        assert row(storage).Limit == LIMIT


@pytest.mark.parametrize("uid", [0, USER], ids=["root", "service-user"])
def test_one_claim_alone_is_refused_what_is_over_the_limit(disk, tmp_path, uid):
    with open_on(disk, tmp_path) as storage:
        (ann,) = claims(storage, ANN)
        written, refused = fill(ann, 2 * LIMIT, uid=uid)
        assert (refused, written <= LIMIT) == ("EDQUOT", True)


def test_a_limit_holds_after_a_restart_and_a_remount(disk, tmp_path):
    with open_on(disk, tmp_path) as storage:
        ann, bob = claims(storage, ANN, BOB)
        fill(ann, 5 * MIB, uid=USER)
    unmount_all(disk)
    mount(tmp_path / "btrfs.img", disk, "btrfs")
    with open_on(disk, tmp_path) as storage:
        assert row(storage).Status == "ready"
        assert fill(bob, LIMIT, uid=USER)[1] == "EDQUOT"


def test_limits_that_are_gone_at_the_start_are_set_again(disk, tmp_path):
    with open_on(disk, tmp_path) as storage:
        ann, bob = claims(storage, ANN, BOB)
        fill(ann, 5 * MIB, uid=USER)
        run("sync", "-f", disk)
    _ioctl.quota(disk, OFF)
    with open_on(disk, tmp_path) as storage:
        assert row(storage).Status == "ready"
        written, refused = fill(bob, LIMIT, uid=USER)
        assert (refused, written <= 3 * MIB) == ("EDQUOT", True)


@pytest.mark.parametrize("other", [None, SIMPLE, QGROUP], ids=["off", "simple", "qgroup"])
def test_quotas_that_somebody_switched_are_noticed_and_limits_set_again(disk, tmp_path, caplog, other):
    with open_on(disk, tmp_path) as storage:
        ann, bob = claims(storage, ANN, BOB)
        fill(ann, 5 * MIB, uid=USER)
        run("sync", "-f", disk)
        _ioctl.quota(disk, OFF)
        if other is not None:
            _ioctl.quota(disk, other)
        storage.storage.look_after()
        assert "all limits are set again" in caplog.text or "is not as it was" in caplog.text
        assert row(storage).Status == "ready"
        written, refused = fill(bob, LIMIT, uid=USER)
        assert (refused, written <= 3 * MIB) == ("EDQUOT", True)


def test_counts_that_became_inconsistent_are_counted_anew(btrfs, tmp_path, caplog):
    _ioctl.quota(btrfs, QGROUP)
    _ioctl.rescan(btrfs)
    with open_on(btrfs, tmp_path) as storage:
        ann, bob = claims(storage, ANN, BOB)
        fill(ann, 5 * MIB, uid=USER)
        run("sync", "-f", btrfs)
        run("btrfs", "subvolume", "snapshot", ann, btrfs / "copy")
        run("sync", "-f", btrfs)
        run("btrfs", "qgroup", "create", "2/1", btrfs)
        copy = f"0/{_ioctl.subvolume_of(btrfs / 'copy')}"
        run("btrfs", "qgroup", "assign", "--no-rescan", copy, "2/1", btrfs, check=False)
        storage.storage.look_after()
        assert "the counts are inconsistent, no limit is kept" in caplog.text
        assert row(storage).Status == "ready"
        assert fill(bob, LIMIT, uid=USER)[1] == "EDQUOT"


def test_subvolumes_that_a_service_makes_count_from_the_next_look_on(disk, tmp_path):
    with open_on(disk, tmp_path) as storage:
        (ann,) = claims(storage, ANN)
        command = [shutil.which("btrfs"), "subvolume", "create", "inner"]
        subprocess.run(
            command, cwd=ann, user=USER, group=USER, extra_groups=[], check=True, capture_output=True
        )
        storage.storage.look_after()
        assert fill(ann / "inner", 2 * LIMIT, uid=USER)[1] == "EDQUOT"
        storage.update(storage.key(1, Service="radio", Users=ANN), row(storage, ANN), {"Removed": True})
        assert not ann.exists()


def test_where_quotas_cannot_be_had_back_it_is_said_and_the_folders_stay_usable(disk, tmp_path, monkeypatch):
    with open_on(disk, tmp_path) as storage:
        (ann,) = claims(storage, ANN)
        _ioctl.quota(disk, OFF)
        with monkeypatch.context() as patch:

            def refuse(*_):
                raise OSError(1, "Operation not permitted")

            patch.setattr(_ioctl, "quota", refuse)
            storage.storage.look_after()
            assert row(storage, ANN).Status == "unlimited"
            assert "Operation not permitted" in row(storage, ANN).Message
            assert storage.storage.folder(storage.key(1, Service="radio", Users=ANN)) == ann
            with pytest.raises(StorageError, match="Operation not permitted"):
                claims(storage, BOB)
    with monkeypatch.context() as patch:
        patch.setattr(_ioctl, "quota", refuse)
        with open_on(disk, tmp_path) as storage:
            assert row(storage, ANN).Status == "unlimited"
            assert storage.storage.folder(storage.key(1, Service="radio", Users=ANN)) == ann
        with (
            pytest.raises(StorageError, match="Operation not permitted"),
            open_on(disk, tmp_path, Require=True),
        ):
            pass
    with open_on(disk, tmp_path) as storage:
        assert row(storage, ANN).Status == "ready"
        assert fill(ann, 2 * LIMIT)[1] == "EDQUOT"


def test_the_watch_notices_by_itself(disk, tmp_path, caplog):
    from statehold.testing._patience import within

    with open_on(disk, tmp_path, WatchSeconds=0.1) as storage:
        claims(storage, ANN)
        key = storage.key(1, Service="radio", Users="")
        group = storage.storage.folder(storage.key(1, Service="radio", Users=ANN)).parent
        _ioctl.quota(disk, OFF)

        def repaired():
            from statehold_quota import Group

            while storage.storage.backend.fault() or not storage.storage.backend.keeps(Group(group), LIMIT):
                pass

        within(30, repaired)
        assert storage.facade.get(key).Status == "ready"


def test_a_limit_that_somebody_took_away_is_set_again(disk, tmp_path, caplog):
    with open_on(disk, tmp_path) as storage:
        (ann,) = claims(storage, ANN)
        run("btrfs", "qgroup", "limit", "none", f"1/{_ioctl.subvolume_of(ann.parent)}", disk)
        storage.storage.look_after()
        assert "is not as it was" in caplog.text
        assert fill(ann, 2 * LIMIT)[1] == "EDQUOT"


def test_a_small_limit_is_rounded_up_with_a_message_or_refused(disk, tmp_path):
    with open_on(disk, tmp_path) as storage:
        claims(storage, ANN, limit=100_000)
        assert row(storage).Limit == 512 * 1024
        assert "100,000 bytes asked for, 524,288 kept" in row(storage).Message
    strict = open_on(disk, tmp_path, SmallLimits="refuse")
    with strict as storage, pytest.raises(StorageError, match="100,000 bytes asked for"):
        claims(storage, limit=100_000, service="map")


def test_a_service_without_a_limit_of_its_own_has_the_default(disk, tmp_path):
    with open_on(disk, tmp_path, DefaultLimit=2 * MIB) as storage:
        storage.insert(storage.key(1, Service="radio", Users=ANN), {})
        assert row(storage, ANN).Limit == 2 * MIB
        folder = storage.storage.folder(storage.key(1, Service="radio", Users=ANN))
        assert fill(folder, 4 * MIB)[1] == "EDQUOT"


def test_a_limit_of_0_lets_no_more_be_written_and_keeps_what_is_there(disk, tmp_path):
    with open_on(disk, tmp_path) as storage:
        (ann,) = claims(storage, ANN)
        fill(ann, 4 * MIB)
        run("sync", "-f", disk)
        claims(storage, limit=0)
        assert fill(ann, MIB, name="more") == (0, "EDQUOT")
        assert (ann / "file").stat().st_size == 4 * MIB


def test_a_removed_claim_leaves_its_room_to_the_others(disk, tmp_path):
    with open_on(disk, tmp_path) as storage:
        ann, bob = claims(storage, ANN, BOB)
        assert fill(ann, 2 * LIMIT)[1] == "EDQUOT"
        key = storage.key(1, Service="radio", Users=ANN)
        storage.update(key, row(storage, ANN), {"Removed": True})
        assert fill(bob, 6 * MIB) == (6 * MIB, "")


def test_without_quotas_on_the_disk_a_loop_image_keeps_the_limit_and_goes_with_the_service(btrfs, tmp_path):
    with open_on(btrfs, tmp_path) as storage:
        ann, bob = claims(storage, ANN, BOB)
        assert row(storage).Quota == "loop image"
        assert fill(ann, 5 * MIB, uid=USER) == (5 * MIB, "")
        assert fill(bob, 5 * MIB, uid=USER)[1] == "ENOSPC"
        point = ann.parent
    unmount_all(point)
    assert not ann.exists()
    with open_on(btrfs, tmp_path) as storage:
        assert (ann / "file").stat().st_size == 5 * MIB
        claims(storage, limit=2 * LIMIT)
        assert fill(bob, 5 * MIB, uid=USER) == (5 * MIB, "")
        storage.update(storage.key(1, Service="radio", Users=""), row(storage), {"Removed": True})
        assert list(point.parent.iterdir()) == []
        assert str(point) not in run("losetup", "--list").stdout


def test_a_damaged_image_harms_no_other_service(loop_root, tmp_path):
    with open_on(loop_root, tmp_path, Backend="loop") as storage:
        (bad,) = claims(storage, ANN)
        (good,) = claims(storage, ANN, service="map")
        (good / "note").write_text("kept")
    unmount_all(loop_root)
    bad.parent.with_name(f"{bad.parent.name}.img").write_bytes(b"no file system" * 100_000)
    with open_on(loop_root, tmp_path) as storage:
        assert row(storage, ANN).Status == "damaged"
        assert row(storage, ANN).Folder is None
        assert "e2fsck" in row(storage, ANN).Message
        assert row(storage, ANN, service="map").Status == "ready"
        assert (good / "note").read_text() == "kept"
        assert not bad.exists()


@pytest.mark.parametrize("moment", ["recorded", "made", "limited", "usable", "in force"])
def test_a_kill_at_any_moment_leaves_no_folder_without_its_limit(disk, tmp_path, moment):
    with open_on(disk, tmp_path) as storage:
        (ann,) = claims(storage, ANN)
        (ann / "note").write_text("kept")
    crash = Path(__file__).with_name("crash.py")
    done = subprocess.run([sys.executable, crash, tmp_path, moment, disk], check=False)
    assert done.returncode == -signal.SIGKILL
    with open_on(disk, tmp_path) as storage:
        found = [path.name for path in ann.parent.iterdir()]
        if moment == "in force":
            assert found == [storage.storage.folder(storage.key(1, Service="radio", Users=BOB)).name]
        else:
            assert found == [ann.name]
            assert (ann / "note").read_text() == "kept"
            assert [path.name for path in ann.parent.parent.iterdir()] == [ann.parent.name]
        (bob,) = claims(storage, BOB)
        assert fill(bob, 2 * LIMIT, uid=USER)[1] == "EDQUOT"


def test_claims_made_by_several_processes_share_the_limit(disk, tmp_path):
    with open_on(disk, tmp_path) as storage:
        for number in range(3):
            claims(storage, service=f"service-{number}")
        work = Path(__file__).with_name("working.py")
        processes = [
            subprocess.Popen([sys.executable, work, tmp_path, f"process-{who}", disk]) for who in range(3)
        ]
        assert [process.wait(120) for process in processes] == [0, 0, 0]
        rows = {
            key: value
            for key, value in storage.facade.read(storage.prefix(1, Service="service-0"))
            if key.Users
        }
        assert all(value.Status == "ready" for value in rows.values())
        written = [fill(storage.storage.folder(key), 2 * MIB, uid=USER) for key in rows]
        assert sum(size for size, _ in written) <= LIMIT
        assert written[-1][1] == "EDQUOT"
