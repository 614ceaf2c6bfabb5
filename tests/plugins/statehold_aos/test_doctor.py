from __future__ import annotations

import json
import os

import pytest

from statehold.cli import run
from statehold_quota import NAMES
from statehold_quota._btrfs import _ioctl


@pytest.fixture
def doctor(capsys):
    def call(path, *options, code=0):
        assert run(["aos", "doctor", str(path), *options]) == code
        out, err = capsys.readouterr()
        return json.loads(out) if "--json" in options else out + err

    return call


def test_the_backend_that_works_is_proved_and_all_others_have_their_reason(btrfs, doctor):
    _ioctl.quota(btrfs, 4)
    found = doctor(btrfs, "--json")
    assert (found["chosen"], found["enforced"], found["file_system"]) == ("btrfs-simple", True, "btrfs")
    assert [each["backend"] for each in found["backends"]] == list(NAMES)
    by_name = {each["backend"]: each for each in found["backends"]}
    assert "refused with EDQUOT" in by_name["btrfs-simple"]["proof"]
    assert by_name["btrfs-simple"]["root_too"] is True
    assert "of the other kind" in by_name["btrfs-qgroup"]["reason"]
    assert "lies on btrfs, not on ext4" in by_name["user"]["reason"]
    assert "advisory" in by_name["accounting"]["title"]
    text = doctor(btrfs)
    assert "limits are enforced here, by btrfs simple quota" in text
    assert "refused with EDQUOT" in text
    assert list(btrfs.iterdir()) == []


def test_quotas_that_are_off_are_told_and_switched_on_only_on_demand(btrfs, doctor):
    assert "quotas are off" in doctor(btrfs)
    assert doctor(btrfs, "--json")["chosen"] == "loop"
    assert doctor(btrfs, "--enable", "--json")["chosen"] == "btrfs-simple"


def test_advisory_only_is_an_exit_code_of_1_and_said_so(tmp_path, doctor, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert doctor(tmp_path, "--json", code=1)["enforced"] is False
    assert "limits are advisory here: nothing is refused" in doctor(tmp_path, code=1)


def test_a_path_that_is_no_folder_is_wrong_usage(tmp_path, doctor):
    assert "is no folder" in doctor(tmp_path / "not-there", code=2)
