"""Quotas of ext4 and xfs, on kernels that have them; elsewhere the tests are skipped."""

from __future__ import annotations

import contextlib
import os

import pytest
from debian import need
from file_systems import fill, mounted, root_and_loops, run

from statehold_quota import Group, ProjectQuota, UserQuota, probe
from statehold_quota._kernel._project_ids import project_of, set_project

MIB = 2**20
USER = 1_900_000_009
LIMIT = 4 * MIB


@pytest.fixture(params=["ext4-project", "xfs-project", "ext4-user"])
def backend(tmp_path, request):
    root_and_loops()
    kind, _, what = request.param.partition("-")
    need(f"mkfs.{kind}", "e2fsprogs" if kind == "ext4" else "xfsprogs")
    make = ("-O", "quota,project") if kind == "ext4" else ()
    if request.param == "ext4-user":
        make = ("-O", "quota")
    with contextlib.ExitStack() as stack:
        options = "prjquota" if what == "project" else "usrquota"
        size = (64 if kind == "ext4" else 320) * MIB
        point = stack.enter_context(mounted(tmp_path, kind, size=size, make=make, options=options))
        backend = ProjectQuota(root=point) if what == "project" else UserQuota(root=point)
        yield backend


def test_the_probe_is_refused_and_a_group_stays_within_its_limit(backend):
    finding = probe(backend, backend.root)
    assert (finding.works, finding.enforced) == (True, True), finding.reason
    group = Group(backend.root / "service", USER)
    backend.make_group(group)
    backend.set_limit(group, LIMIT)
    for name in ("a", "b"):
        os.chown(backend.make_folder(group, name), USER, USER)
    assert backend.keeps(group, LIMIT)
    assert fill(group.path / "a", 3 * MIB, uid=USER) == (3 * MIB, "")
    written, refused = fill(group.path / "b", 3 * MIB, uid=USER)
    assert refused in ("EDQUOT", "ENOSPC")
    assert written <= MIB
    run("sync", "-f", backend.root)
    assert 3 * MIB <= backend.used(group) <= LIMIT
    backend.remove_group(group)
    assert not group.path.exists()


def test_what_is_made_in_a_group_counts_for_its_project(tmp_path):
    root_and_loops()
    need("mkfs.xfs", "xfsprogs")
    with mounted(tmp_path, "xfs", size=320 * MIB) as point:  # which has projects, also without quotas
        (point / "service").mkdir()
        assert project_of(point / "service") == 0
        set_project(point / "service", 4242)
        (point / "service" / "a").mkdir()
        (point / "other").mkdir()
        assert [project_of(point / name) for name in ("service", "service/a", "other")] == [4242, 4242, 0]


@pytest.mark.parametrize("kind", [ProjectQuota, UserQuota])
def test_a_kernel_without_quotas_is_found_out_although_mount_shows_the_option(tmp_path, kind):
    root_and_loops()
    with mounted(tmp_path, "ext4", size=32 * MIB, options="usrquota") as point:
        assert "usrquota" in run("findmnt", "-no", "OPTIONS", point).stdout
        backend = kind(root=point)
        finding = probe(backend, point)
        if finding.works:
            pytest.skip("this kernel has quotas that need no quotaon")
        assert "off, or this kernel was built without them" in finding.reason
        assert [path.name for path in point.iterdir()] == ["lost+found"]


@pytest.mark.parametrize("kind", [ProjectQuota, UserQuota])
def test_another_file_system_is_refused_with_its_name(btrfs, kind):
    finding = probe(kind(root=btrfs), btrfs)
    assert not finding.works
    assert "lies on btrfs, not on" in finding.reason


def test_a_user_quota_needs_a_user(tmp_path):
    with pytest.raises(Exception, match="no user of its own"):
        UserQuota(root=tmp_path).number(Group(tmp_path / "service"))
