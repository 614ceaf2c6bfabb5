"""Plugins that leak when they are freed are remembered, and go into a sidecar."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from statehold.hosting._quarantine import FreedPlugin, Quarantine
from statehold.hosting._registry import Registry
from statehold.sdk import HostError

APP = "acme.kitchen"


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens the quarantine anew, as another host would."""
    registries = []

    def opened(**kwargs):
        registries.append(Registry(tmp_path / "registry.db"))
        return Quarantine(registries[-1], **kwargs)

    yield opened
    for registry in registries:
        registry.close()


@pytest.fixture
def quarantine(opened):
    return opened()


def freed(name="devices", *survivors, version="1"):
    return FreedPlugin(distribution=name, version=version, sha256="0" * 64, survivors=survivors)


def test_three_frees_in_a_row_that_leak_are_enough(quarantine):
    leak = freed("devices", "class devices.Device, held by KEEP in module 'json'")
    assert quarantine.freed(APP, [leak]) == ()
    assert quarantine.freed(APP, [leak]) == ()
    assert quarantine.holds(APP, "devices") == ""
    (found,) = quarantine.freed(APP, [leak])
    assert (found.app, found.distribution, found.frees) == (APP, "devices", 3)
    reason = quarantine.holds(APP, "devices")
    assert "devices of acme.kitchen is in quarantine since 20" in reason
    assert "class devices.Device, held by KEEP in module 'json'" in reason
    assert quarantine.listed() == quarantine.listed(APP) == (found,)


def test_it_is_told_once(quarantine):
    leak = freed("devices", "x")
    told = [quarantine.freed(APP, [leak]) for _ in range(5)]
    assert list(map(len, told)) == [0, 0, 1, 0, 0]


def test_a_clean_free_resets_the_count(quarantine):
    leak, clean = freed("devices", "x"), freed("devices")
    for plugin in (leak, leak, clean, leak, leak):
        assert quarantine.freed(APP, [plugin]) == ()
    assert quarantine.holds(APP, "devices") == ""
    assert quarantine.freed(APP, [leak]) != ()


def test_a_clean_free_lets_nothing_out_of_quarantine(quarantine):
    """A version that was loaded before may be freed later, and have leaked nothing."""
    for _ in range(3):
        quarantine.freed(APP, [freed("devices", "x")])
    quarantine.freed(APP, [freed("devices")])
    assert quarantine.holds(APP, "devices")


def test_two_files_of_one_distribution_are_one_free(quarantine):
    for _ in range(2):
        quarantine.freed(APP, [freed("devices", "x"), freed("devices")])
    assert quarantine.holds(APP, "devices") == ""
    assert quarantine.freed(APP, [freed("devices"), freed("devices", "x")]) != ()


def test_what_leaks_in_one_app_is_let_in_by_another(quarantine):
    for _ in range(3):
        quarantine.freed(APP, [freed("devices", "x"), freed("others")])
    assert quarantine.holds("acme.bills", "devices") == ""
    assert quarantine.holds(APP, "others") == ""


def test_another_version_of_a_distribution_counts_on(quarantine):
    for version in "123":
        quarantine.freed(APP, [freed("devices", f"of {version}", version=version)])
    (found,) = quarantine.listed()
    assert (found.version, found.why) == ("3", "of 3")


def test_only_some_of_many_survivors_are_remembered(quarantine):
    for _ in range(3):
        quarantine.freed(APP, [freed("devices", *map(str, range(100)))])
    assert quarantine.listed()[0].why == "0; 1; 2; 3; 4; and 95 more"


def test_it_survives_another_start(opened):
    first = opened()
    for _ in range(2):
        first.freed(APP, [freed("devices", "x")])
    second = opened()
    assert second.freed(APP, [freed("devices", "x")]) != ()
    assert opened().listed() == second.listed() != ()


def test_what_is_lifted_is_let_in_and_starts_anew(opened, quarantine):
    for _ in range(3):
        quarantine.freed(APP, [freed("devices", "x")])
    (lifted,) = quarantine.lift("devices")
    assert lifted.app == APP
    assert quarantine.holds(APP, "devices") == ""
    assert opened().listed() == ()
    assert quarantine.freed(APP, [freed("devices", "x")]) == ()


def test_it_is_lifted_for_one_app_alone(quarantine):
    for app in (APP, "acme.bills"):
        for _ in range(3):
            quarantine.freed(app, [freed("devices", "x")])
    quarantine.lift("devices", APP)
    assert quarantine.holds(APP, "devices") == ""
    assert quarantine.holds("acme.bills", "devices")


def test_lifting_what_is_not_there_names_what_is(quarantine):
    with pytest.raises(HostError, match=r"'devices' is not in quarantine here\. There is none"):
        quarantine.lift("devices")
    for _ in range(3):
        quarantine.freed(APP, [freed("devices", "x")])
    with pytest.raises(HostError, match=r"'device' is not in quarantine here\. Did you mean 'devices'\?"):
        quarantine.lift("device")


KILLED = """
import os, signal, sys
from pathlib import Path
from statehold.hosting._quarantine import FreedPlugin, Quarantine
from statehold.hosting._registry import Registry
quarantine = Quarantine(Registry(Path(sys.argv[1])))
leak = FreedPlugin(distribution="devices", version="1", sha256="0" * 64, survivors=("x",))
for _ in range(3):
    quarantine.freed("acme.kitchen", [leak])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_host_that_is_killed_has_forgotten_nothing(opened, tmp_path):
    run = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "registry.db"], check=False)
    assert run.returncode == -signal.SIGKILL
    assert opened().holds(APP, "devices")
