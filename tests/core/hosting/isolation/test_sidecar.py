"""Storages that run in a sidecar because descriptor.json says so: nothing else is different."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from statehold.hosting import Sandbox
from statehold.loading.sidecar import Reason, SidecarError
from statehold.processing import ProcessingError
from statehold.sdk import DeployError

APART = {"isolation": "sidecar"}


def ask(host, name):
    """Return what the storage answers to a GET, or raise what it raised."""
    with host.app("acme.den").borrow() as partition:
        return partition.facades("den.Show")["den.Box"].find(1, Name=name).Text


def test_commands_and_queries_are_the_same_in_another_process(host, den, put, show, everything):
    host.deploy(den("1", box=APART))
    put("a", "1")
    put("b", "2")
    assert show("a") == "1"
    assert show("nobody") is None
    assert everything() == [("a", "1"), ("b", "2")]
    assert int(show("pid")) != os.getpid()


def test_what_the_storage_refuses_is_refused_in_its_words(host, den, put, everything):
    host.deploy(den("1", box=APART))
    with pytest.raises(ProcessingError, match="the box refuses it"):
        put("a", "no")
    assert everything() == []


def test_without_an_isolation_a_python_plugin_runs_in_the_host(host, den, show):
    host.deploy(den("1"))
    assert int(show("pid")) == os.getpid()


def test_all_partitions_of_a_version_share_a_process_unless_limits_say_less(host, den):
    def pids():
        found = []
        for number in range(4):
            with host.app("acme.den").borrow(number) as partition:
                facade = partition.facades("den.Show")["den.Box"]
                found.append(facade.find(1, Name="pid").Text)
        return found

    host.deploy(den("1", box=APART, NumParts=4))
    assert len(set(pids())) == 1
    host.deploy(den("2", box={**APART, "limits": {"partitions_per_process": 2}}, NumParts=4))
    first, second, third, fourth = pids()
    assert first == second != third == fourth


def test_each_limit_is_kept(host, den):
    limits = {"memory_mib": 64, "deadline": 3}
    host.deploy(den("1", box={**APART, "limits": limits}))
    with pytest.raises(MemoryError):
        ask(host, "memory")
    with pytest.raises(SidecarError, match="gave no answer within 3 s") as raised:
        ask(host, "hang")
    assert raised.value.reason is Reason.DEADLINE


def test_what_is_granted_reaches_the_storage_and_the_sandbox(host, den, show):
    host.deploy(den("1", box={**APART, "allow": {"network": ["127.0.0.1:1"]}}))
    assert show("network") == "('127.0.0.1:1',)"


def test_a_crash_is_an_error_of_that_call_and_the_storage_comes_back(host, den, show):
    host.deploy(den("1", box=APART))
    before = show("pid")
    with pytest.raises(SidecarError, match="that was too much") as raised:
        ask(host, "crash")
    assert raised.value.reason is Reason.CRASHED
    assert show("pid") != before


def test_log_records_come_under_the_name_of_the_storage_without_secrets(host, den, show, caplog):
    caplog.set_level(logging.INFO)
    host.deploy(den("1", box=APART))
    show("secret")
    host.undeploy("acme.den")
    host.close()
    said = [(one.name, one.levelname, one.getMessage()) for one in caplog.records if "den.Box" in one.name]
    name = "statehold.acme.den.1.0.den.Box"
    assert (name, "WARNING", "the secret is ***") in said
    assert (name, "INFO", "freed") in said
    assert "hunter2" not in caplog.text


def test_a_secret_in_an_error_of_the_opening_is_not_told(host, den):
    with pytest.raises(DeployError, match="refused") as raised:
        host.deploy(den("1", box=APART, deed="leak"))
    assert "hunter2" not in str(raised.value)


def test_background_work_ends_before_the_storage_is_freed(host, den, caplog):
    caplog.set_level(logging.INFO)
    host.deploy(den("1", box=APART, deed="work"))
    host.close()
    said = [one.getMessage() for one in caplog.records if one.name.endswith("den.Box")]
    assert said.index("begun") < said.index("ended") < said.index("freed")


def test_a_config_that_does_not_fit_is_told_in_the_same_words(host, den):
    told = []
    for box in (None, APART):
        with pytest.raises(DeployError) as raised:
            host.deploy(den("1", box=box, config='{"Deed": 5, "Dead": 1}'))
        told.append(raised.value.problems)
    assert told[0] == told[1] != ()


def test_the_data_folder_is_the_storage_s_own_and_stays(host, den, show):
    host.deploy(den("1", box=APART))
    assert show("keep") == "1"
    host.deploy(den("2"), accept_breaking=True)
    assert show("keep") == "12"
    host.deploy(den("3", box=APART))
    assert show("keep") == "123"
    host.deploy(den("4"), accept_breaking=True)
    assert show("keep") == "1234"


def test_the_process_has_a_user_of_the_app_if_the_host_can_give_it_one(host, den, show):
    host.deploy(den("1", box=APART))
    assert (int(show("uid")) != os.getuid()) is (os.getuid() == 0)


def test_closing_the_host_ends_the_process(host, den, show):
    before = children(os.getpid())
    host.deploy(den("1", box=APART))
    # In a namespace of its own it has another number there.
    assert children(os.getpid()) - before
    host.close()
    assert children(os.getpid()) <= before


def children(pid: int) -> set[str]:
    """Return the numbers of the processes that a process has started, zombies aside."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if int(parent) == pid and state != "Z" and "python" in text:
            found.add(text.split()[0])
    return found


def test_a_version_that_cannot_be_opened_leaves_no_process(host, den):
    host.deploy(den("1"))
    before = children(os.getpid())
    with pytest.raises(DeployError, match="refused"):
        host.deploy(den("2", box=APART, deed="leak"))
    host.close()
    assert children(os.getpid()) <= before


def test_hooks_of_a_plugin_in_a_sidecar_are_not_called_and_that_is_told(host, den):
    hooks = '[project.entry-points."statehold.hooks"]\nBoxes = "den_boxes:Hooks"'
    version = host.deploy(den("1", box=APART, code="class Hooks: pass", hooks=hooks))
    assert any("its hooks Boxes are not called" in warning for warning in version.warnings)


def test_without_a_sandbox_the_process_is_like_any_other(open_host, environ, den):
    host = open_host(environ=environ, sandbox=Sandbox.OFF)
    version = host.deploy(den("1", box={**APART, "limits": {"memory_mib": 64, "deadline": 2}}))
    assert any("nothing keeps it within memory_mib, because" in warning for warning in version.warnings)
    assert int(ask(host, "uid")) == os.getuid()
    assert int(ask(host, "pid")) != os.getpid()
