from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from file_systems import fill, mount, run, unmount_all

from statehold_quota import Btrfs, Group, Mode, QuotaError, clean_up, probe
from statehold_quota._btrfs import _backend, _ioctl

MIB = 2**20
USER = 1_900_000_007
LIMIT = 8 * MIB
OFF, SIMPLE, QGROUP = 2, 4, 1


@pytest.fixture(params=[Mode.SIMPLE, Mode.QGROUP], ids=["simple", "qgroup"])
def backend(btrfs, request):
    backend = Btrfs(root=btrfs, mode=request.param, enable=True)
    backend.prepare()
    return backend


@pytest.fixture
def group(backend):
    return make(backend, "service")


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def committed(backend):
    backend.commit()
    return backend


def make(backend, name, limit=LIMIT, folders=("a", "b")):
    group = Group(backend.root / name)
    backend.make_group(group)
    backend.set_limit(group, limit)
    for folder in folders:
        os.chown(backend.make_folder(group, folder), USER, USER)
    return group


@pytest.mark.parametrize("uid", [0, USER], ids=["root", "service-user"])
def test_a_folder_is_refused_what_is_over_the_limit(group, uid):
    written, refused = fill(group.path / "a", 2 * LIMIT, uid=uid)
    assert refused == "EDQUOT"
    assert LIMIT * 0.9 < written <= LIMIT


@pytest.mark.parametrize("uid", [0, USER], ids=["root", "service-user"])
def test_folders_together_are_refused_what_is_over_the_limit(group, uid):
    assert fill(group.path / "a", 6 * MIB, uid=uid) == (6 * MIB, "")
    written, refused = fill(group.path / "b", 6 * MIB, uid=uid)
    assert refused == "EDQUOT"
    assert written <= LIMIT - 6 * MIB


def test_groups_do_not_share_a_limit(backend, group):
    other = make(backend, "other")
    assert fill(group.path / "a", 2 * LIMIT)[1] == "EDQUOT"
    assert fill(other.path / "a", LIMIT // 2) == (LIMIT // 2, "")


def test_the_probe_is_refused_and_leaves_nothing_behind(backend):
    finding = probe(backend, backend.root)
    assert (finding.works, finding.enforced, finding.root_too) == (True, True, True), finding.reason
    assert "EDQUOT" in finding.proof
    assert list(backend.root.iterdir()) == []


def test_what_was_set_is_read_back_and_what_is_used_counted(backend, group):
    fill(group.path / "a", 2 * MIB)
    fill(group.path / "b", 3 * MIB)
    run("sync", "-f", group.path)  # until then, the kernel's sizes are those of the last commit
    assert backend.limit(group) == LIMIT
    assert backend.keeps(group, LIMIT)
    assert not backend.keeps(group, LIMIT + 4096)
    assert 2 * MIB <= backend.folder_used(group, "a") <= 2.2 * MIB
    assert 5 * MIB <= backend.used(group) <= 5.3 * MIB


def test_with_the_overhead_a_limit_is_exact_to_the_byte(backend):
    group = make(backend, "exact", LIMIT + backend.overhead, folders=("a",))
    assert fill(group.path / "a", 2 * LIMIT) == (LIMIT, "EDQUOT")
    backend.commit()
    assert backend.used(group) <= LIMIT + backend.overhead


def test_a_group_with_its_limit_and_a_folder_is_made_in_one_step_or_over_what_is_there(backend):
    group = Group(backend.root / "service")
    for limit in (LIMIT, LIMIT // 2):
        assert backend.make_limited(group, "a", limit) == group.path / "a"
        assert backend.keeps(group, limit)
    assert fill(group.path / "a", LIMIT)[1] == "EDQUOT"
    backend.remove_group(group)
    assert backend._state().marked() == []


def test_a_limit_may_be_raised_and_lowered_below_what_is_used(backend, group):
    fill(group.path / "a", 2 * LIMIT)
    backend.set_limit(group, 2 * LIMIT)
    assert fill(group.path / "b", 4 * MIB) == (4 * MIB, "")
    backend.set_limit(group, MIB)
    assert fill(group.path / "b", MIB, name="more") == (0, "EDQUOT")
    (group.path / "a" / "file").unlink()


def test_a_limit_survives_a_remount(backend, group, tmp_path):
    fill(group.path / "a", 4 * MIB)
    unmount_all(backend.root)
    mount(tmp_path / "btrfs.img", backend.root, "btrfs")
    assert backend.keeps(group, LIMIT)
    assert fill(group.path / "b", LIMIT)[1] == "EDQUOT"


def test_what_a_removed_folder_took_is_free_at_once(backend, group):
    assert fill(group.path / "a", 2 * LIMIT)[1] == "EDQUOT"
    backend.remove_folder(group, "a")
    assert not (group.path / "a").exists()
    assert fill(group.path / "b", 6 * MIB) == (6 * MIB, "")


def test_a_full_group_can_be_removed_with_its_qgroups(backend, group):
    assert fill(group.path / "a", 2 * LIMIT)[1] == "EDQUOT"
    backend.remove_group(group)
    assert not group.path.exists()
    state = backend._state()
    assert [each.name for each in state.folder.iterdir() if each.is_dir()] == ["0_5"]


def test_a_group_whose_file_somebody_has_open_is_not_removed_until_that_gives_its_room_back(
    backend, group, monkeypatch
):
    monkeypatch.setattr(_backend, "_CLEANED", 0.2)
    with (group.path / "a" / "file").open("wb") as held:
        held.write(bytes(2 * MIB))
        held.flush()
        os.fsync(held.fileno())
        for _ in range(2):
            with pytest.raises(QuotaError, match=r"service held still takes [0-9,]{9} bytes"):
                backend.remove_group(group)
            assert backend.limit(group) == LIMIT
    monkeypatch.setattr(_backend, "_CLEANED", 60.0)
    wait_for(lambda: not committed(backend).used(group))
    backend.remove_group(group)
    assert not group.path.exists()
    assert backend._state().marked() == []


def test_what_is_removed_or_made_twice_is_no_error(backend, group):
    backend.make_group(group)
    assert backend.make_folder(group, "a") == group.path / "a"
    for _ in range(2):
        backend.remove_folder(group, "a")
    for _ in range(2):
        backend.remove_group(group)


def test_subvolumes_that_a_service_makes_count_as_well(backend, group):
    inner = group.path / "a" / "inner"
    done = subprocess.run(
        [shutil.which("btrfs"), "subvolume", "create", "inner"],
        cwd=group.path / "a",
        user=USER,
        group=USER,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if backend.mode is Mode.QGROUP:
        backend.set_limit(group, LIMIT)  # as at the next start or check
    assert fill(inner, 2 * LIMIT, uid=USER)[1] == "EDQUOT"
    backend.remove_folder(group, "a")
    assert fill(group.path / "b", 6 * MIB) == (6 * MIB, "")


def test_limits_are_set_again_after_somebody_switched_quotas_off_and_on(backend, group):
    fill(group.path / "a", 3 * MIB)
    run("sync", "-f", group.path)
    _ioctl.quota(backend.root, OFF)
    assert "switched quotas off" in backend.fault()
    assert not backend.keeps(group, LIMIT)
    assert fill(group.path / "b", LIMIT + MIB, name="over") == (LIMIT + MIB, "")
    (group.path / "b" / "over").unlink()

    backend.prepare()
    assert backend.fault() == ""
    assert not backend.keeps(group, LIMIT)
    backend.set_limit(group, LIMIT)
    assert backend.keeps(group, LIMIT)
    # What was written before quotas were there is not forgotten.
    assert 3 * MIB <= backend.used(group) <= 3.2 * MIB
    written, refused = fill(group.path / "b", LIMIT)
    assert refused == "EDQUOT"
    assert written <= LIMIT - 3 * MIB


def test_what_was_not_counted_is_given_back_once_it_is_removed(btrfs):
    backend = Btrfs(root=btrfs, enable=True)
    backend.prepare()
    group = make(backend, "service")
    fill(group.path / "a", 6 * MIB)
    run("sync", "-f", group.path)
    _ioctl.quota(btrfs, OFF)
    backend.prepare()
    backend.set_limit(group, LIMIT)
    assert fill(group.path / "b", 4 * MIB)[1] == "EDQUOT"
    (group.path / "a" / "file").unlink()
    (group.path / "b" / "file").unlink()
    run("sync", "-f", group.path)
    backend.set_limit(group, LIMIT)
    assert fill(group.path / "b", 6 * MIB) == (6 * MIB, "")


def test_quotas_of_the_other_kind_are_noticed(backend, group):
    _ioctl.quota(backend.root, OFF)
    _ioctl.quota(backend.root, SIMPLE if backend.mode is Mode.QGROUP else QGROUP)
    assert "of the other kind" in backend.fault()
    with pytest.raises(QuotaError, match="of the other kind"):
        backend.prepare()


def test_counts_that_are_inconsistent_are_noticed_and_counted_anew(btrfs):
    backend = Btrfs(root=btrfs, mode=Mode.QGROUP, enable=True)
    backend.prepare()
    group = make(backend, "service")
    fill(group.path / "a", 2 * MIB)
    make_inconsistent(group)
    assert "inconsistent" in backend.fault()
    backend.prepare()
    assert backend.fault() == ""
    assert fill(group.path / "b", LIMIT)[1] == "EDQUOT"


def make_inconsistent(group: Group) -> None:
    """Let shared data count for another qgroup without a new count: the kernel knows that it is wrong."""
    run("sync", "-f", group.path)
    run("btrfs", "subvolume", "snapshot", group.path / "a", group.path.parent / "copy")
    run("sync", "-f", group.path)
    number = _ioctl.subvolume_of(group.path.parent / "copy")
    run("btrfs", "qgroup", "create", "2/1", group.path)
    run("btrfs", "qgroup", "assign", "--no-rescan", f"0/{number}", "2/1", group.path, check=False)


def test_quotas_are_not_switched_on_unless_that_is_allowed(btrfs):
    finding = probe(Btrfs(root=btrfs), btrfs)
    assert not finding.works
    assert "quotas are off" in finding.reason
    assert "--enable" in finding.reason
    assert Btrfs(root=btrfs)._state().mode is None


def test_folders_made_by_many_threads_all_count(backend, group):
    def work(number: int) -> None:
        backend.make_folder(group, f"t{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [fill(group.path / f"t{number}", 2 * MIB) for number in range(8)]
    assert sum(size for size, _ in written) <= LIMIT
    assert written[-1][1] == "EDQUOT"


def test_another_file_system_is_refused_with_its_name(tmp_path):
    finding = probe(Btrfs(root=tmp_path), tmp_path)
    assert not finding.works
    assert "not on btrfs" in finding.reason
    assert list(Path(tmp_path).iterdir()) == []


def test_what_a_probe_has_left_that_was_killed_is_removed_with_its_qgroups(backend, group):
    before = set(map(str, backend._state().folder.iterdir()))
    make(backend, ".probe-1")
    clean_up(backend.root)
    assert [path.name for path in backend.root.iterdir()] == ["service"]
    assert set(map(str, backend._state().folder.iterdir())) == before
    assert (group.path / "a").is_dir()


def test_qgroups_of_ours_that_lost_their_subvolume_are_removed_and_no_others(backend, group):
    before = backend._state().marked()
    theirs, ours = (1 << 48 | 100_000_001), (1 << 48 | 100_000_002)
    for each in (theirs, ours):
        _ioctl.make_qgroup(backend.root, each)
    _ioctl.set_limit(backend.root, ours, LIMIT)
    run("btrfs", "qgroup", "limit", "5M", "1/100000001", backend.root)
    assert backend.remove_strays() == ["1/100000002"]
    assert backend._state().limit(theirs) == 5 * MIB
    assert backend._state().marked() == before
    assert backend.keeps(group, LIMIT)
    _ioctl.quota(backend.root, OFF)
    assert backend.remove_strays() == []
