from __future__ import annotations

import os
import subprocess
from pathlib import Path

import attrs
import pytest

from statehold_quota import (
    NAMES,
    Accounting,
    Group,
    QuotaError,
    _probe,
    backends,
    choose,
    examine,
    fit,
    mount_of,
    probe,
)

MIB = 2**20


class Liar(Accounting):
    """Says that it enforces limits, and sets them without an error, as setquota does."""

    name = "liar"
    title = "liar"
    enforced = True
    smallest = MIB

    def limit(self, group):
        return self.smallest


def test_a_backend_that_only_says_it_enforces_limits_is_found_out(tmp_path):
    finding = probe(Liar(root=tmp_path), tmp_path)
    assert not finding.works
    assert not finding.enforced
    assert "2,621,440 bytes were written over a limit of 1,048,576, nobody refused them" in finding.reason
    assert list(tmp_path.iterdir()) == []


def test_a_write_of_the_trial_that_does_not_end_is_why_a_backend_does_not_work(tmp_path, monkeypatch):
    def waits(*_args, **_more):
        raise subprocess.TimeoutExpired(["dd"], 60)

    monkeypatch.setattr(_probe, "_write", waits)
    assert probe(Liar(root=tmp_path), tmp_path).reason == "a write of the trial did not end within 60 s"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_not_taken_for_a_limit(tmp_path):
    class Huge(Liar):
        smallest = 2**60

    finding = probe(Huge(root=tmp_path), tmp_path)
    assert "too few to tell a limit from a full disk" in finding.reason


def test_every_backend_says_why_it_does_not_work_and_leaves_nothing(tmp_path, loop_root):
    findings = examine(loop_root)
    assert [finding.backend for finding in findings] == list(NAMES)
    assert all(finding.works or finding.reason for finding in findings)
    assert list(loop_root.iterdir()) == []


def test_the_best_that_works_is_chosen(btrfs):
    assert choose(btrfs).backend.name == "loop"
    assert choose(btrfs, enable=True).backend.name == "btrfs-simple"
    assert choose(btrfs).backend.name == "btrfs-simple"
    assert choose(btrfs, names=("project", "accounting")).backend.name == "accounting"


def test_the_last_resort_says_that_it_is_advisory(tmp_path):
    choice = choose(tmp_path, names=("accounting",))
    assert "advisory" in choice.backend.title
    assert not choice.finding.enforced


def test_who_is_not_root_gets_the_last_resort(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "chown", None)
    choice = choose(tmp_path)
    assert choice.backend.name == "accounting"
    assert any("only root" in finding.reason for finding in choice.findings)


def test_nothing_that_works_is_an_error_with_all_reasons(tmp_path):
    with pytest.raises(QuotaError, match="project: "):
        choose(Path("/proc"), names=("project", "user"))
    with pytest.raises(QuotaError, match="there is none of"):
        choose(tmp_path, names=("nonsense",))


@pytest.mark.parametrize(
    ("name", "asked", "kept"),
    [
        ("btrfs-simple", 100 * 1024, 512 * 1024),
        ("btrfs-qgroup", 512 * 1024 + 1, 512 * 1024 + 4096),
        ("loop", 1, MIB),
        ("user", 65 * 1024, 68 * 1024),
    ],
)
def test_a_limit_that_cannot_be_kept_is_rounded_up_with_a_message(tmp_path, name, asked, kept):
    backend = next(each for each in backends(tmp_path) if each.name == name)
    fitted = fit(backend, asked)
    assert fitted.limit == kept
    assert f"{asked:,} bytes asked for, {kept:,} kept" in fitted.message
    assert fit(backend, kept) == attrs.evolve(fitted, message="")


def test_sizes_count_what_has_several_names_once_and_follow_no_link(tmp_path):
    backend = Accounting(root=tmp_path)
    group = Group(tmp_path / "service")
    backend.make_group(group)
    folder = backend.make_folder(group, "a")
    (folder / "file").write_bytes(bytes(MIB))
    os.link(folder / "file", folder / "again")
    (tmp_path / "outside").write_bytes(bytes(8 * MIB))
    (folder / "link").symlink_to(tmp_path)
    assert MIB <= backend.folder_used(group, "a") <= MIB + 64 * 1024
    assert MIB <= backend.used(group) <= MIB + 64 * 1024
    backend.remove_group(group)
    assert (tmp_path / "outside").exists()


def test_the_mount_of_a_path_is_found_by_folders_not_by_letters(btrfs):
    beside = btrfs.with_name(f"{btrfs.name}-2")
    beside.mkdir()
    assert mount_of(btrfs / "not" / "there").kind == "btrfs"
    assert mount_of(beside).kind != "btrfs"
