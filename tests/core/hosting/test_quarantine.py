"""Plugins that leak when they are freed are remembered, and go into a sidecar."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from statehold.hosting._quarantine import FreedPlugin, Quarantine
from statehold.hosting._registry import Registry
from statehold.sdk import DeployError, HostError, Scope

APP = "acme.kitchen"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Do not wait for what leaks on purpose."""
    monkeypatch.setattr("statehold.hosting._retiring._PAUSES", (0.01, 0.05, 0.2))


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


# With a host, and a plugin that really leaks

TIED = "\nimport functools; Provider = functools.partial(Provider, inprocess_only='it stands on the host')"
LEAK = 'import json; vars(json).setdefault("LEAKS", []).append(lambda: Device)'
#: Counted where it is loaded, too, and leaves nothing behind.
COUNTED = 'import json; vars(json).setdefault("LEAKS", []).append(None)'


@pytest.fixture
def leaks(monkeypatch):
    """What keeps plugins alive; it is emptied at the end."""
    kept: list[object] = []
    monkeypatch.setattr(json, "LEAKS", kept, raising=False)
    yield kept
    kept.clear()


def version(host, image):
    """Deploy another version, wait until the one before has been freed, and return what that warned of."""
    before = [app.current for app in host.running]
    deployed = host.deploy(image)
    for one in before:
        one.retire()
        one.wait_freed(30)
    return " ".join(deployed.warnings)


def leak_until_held(host, kitchen):
    """Upgrade until the plugin is in quarantine, and return how many versions there have been."""
    for number in range(1, 10):
        if host.quarantine.holds(APP, "kitchen-devices"):
            return number - 1
        assert "quarantine" not in version(host, kitchen(str(number), code=LEAK))
    raise AssertionError("it was never put into quarantine")


def hold(host):
    """Put the plugin into quarantine, as if it had leaked."""
    for _ in range(3):
        host.quarantine.freed(APP, [freed("kitchen-devices", "x")])


def reading(host):
    with host.app(APP).borrow() as partition:
        return partition.scoped("kitchen.Scada", Scope.QUERIES).find(1, Device="oven").Reading


def test_a_plugin_that_leaks_through_upgrades_ends_up_in_a_sidecar_and_still_answers(
    open_host, kitchen, leaks, caplog
):
    host = open_host()
    count = leak_until_held(host, kitchen)
    assert count == len(leaks) == 4, "three were freed, and one runs"
    assert reading(host) == count * 1000, "what runs goes on"
    (leaking,) = host.quarantine.listed()
    assert "held by LEAKS[2] in module 'json'" in leaking.why
    assert "kitchen-devices of acme.kitchen is in quarantine since" in " ".join(host.warnings)
    assert "From its next load on it runs in a sidecar; `statehold quarantine lift` ends that" in caplog.text
    told = version(host, kitchen("5", code=LEAK))
    assert "kitchen-devices of acme.kitchen is in quarantine since" in told
    assert "It runs in a sidecar" in told
    assert reading(host) == 5000
    assert len(leaks) == 4, "nothing of it was loaded here"
    version(host, kitchen("6", code=LEAK))
    assert reading(host) == 6000
    host.close()
    with open_host() as again:
        assert reading(again) == 6000
        assert "It runs in a sidecar" in " ".join(again.app(APP).current.warnings)
        assert len(leaks) == 4


def test_quarantine_wins_over_a_descriptor_that_wants_it_in_the_host(host, kitchen, leaks):
    storages = {f"kitchen.{name}": {"isolation": "inprocess"} for name in ("Scada", "Historian")}
    version(host, kitchen("1", code=COUNTED, Storages=storages))
    hold(host)
    told = version(host, kitchen("9", code=COUNTED, Storages=storages))
    assert "It runs in a sidecar" in told
    assert len(leaks) == 1
    assert reading(host) == 9000


@pytest.mark.parametrize("apart", ["Scada", "Historian"])
def test_a_plugin_of_which_a_part_is_in_a_sidecar_already_joins_that(host, kitchen, leaks, apart):
    hold(host)
    storages = {f"kitchen.{apart}": {"isolation": "sidecar", "limits": {"memory_mib": 300}}}
    told = version(host, kitchen("9", code=COUNTED, Storages=storages))
    assert not leaks
    assert "It runs in a sidecar" in told
    assert reading(host) == 9000
    with host.app(APP).borrow() as partition:
        first, second = (partition.storage(f"kitchen.{name}") for name in ("Scada", "Historian"))
        assert first.group is second.group
        assert first.group.limits.memory_mib == 300


def test_a_plugin_that_was_lifted_runs_in_the_host_again(host, kitchen, leaks):
    version(host, kitchen("1", code=COUNTED))
    hold(host)
    host.quarantine.lift("kitchen-devices")
    assert "quarantine" not in version(host, kitchen("9", code=COUNTED))
    assert len(leaks) == 2
    assert reading(host) == 9000


def test_a_plugin_that_cannot_run_in_a_sidecar_stays_and_that_is_told(host, kitchen, leaks):
    hold(host)
    told = version(host, kitchen("5", code=COUNTED + TIED))
    assert (
        "It runs in the host's process all the same: provider 'Historian' says: it stands on the host" in told
    )
    assert reading(host) == 5000
    assert len(leaks) == 1


def test_a_plugin_that_does_not_start_in_a_sidecar_is_an_error_that_says_how_to_go_on(host, kitchen):
    version(host, kitchen("4"))
    hold(host)
    with pytest.raises(DeployError, match="It was to run in a sidecar, because kitchen-devices of") as caught:
        host.deploy(kitchen("9", code="raise OSError('only here')"))
    assert "statehold quarantine lift NAME" in str(caught.value)
    assert host.app(APP).current.name == "4"


def test_a_plugin_that_is_freed_without_a_trace_is_never_held(host, kitchen):
    for number in range(1, 7):
        assert "quarantine" not in version(host, kitchen(str(number)))
    assert host.quarantine.listed() == ()
