"""Services of the users who are there, with real processes, folders, states and a real database."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet import ANN, BOB, Fleet, alive, claim, is_root, known, wait_for

from statehold.sdk import StorageError
from statehold_aos.database import ServiceState, ServiceStatus
from statehold_aos.launcher import _launcher
from statehold_aos.launcher._journal import Journal, ServiceId
from statehold_aos.launcher._unit import Phase

SLACK = 512 * 1024
FAILS = "echo broken >&2; exit 3"
#: Adds its version to the state, as a whole, at each start.
COUNTS = """
printf %s "$(cat "$AOS_STATE_FILE" 2>/dev/null)$VERSION" > "$AOS_STATE_FILE.new"
mv "$AOS_STATE_FILE.new" "$AOS_STATE_FILE"
while :; do sleep 1000; done
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as fleet:
        fleet.launcher.switch(1, ["ann"])
        yield fleet


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Fleet]:
    """A fleet that takes no version for well that fails at once, however busy the machine is."""
    with Fleet(tmp_path, HealthMilliseconds=2_000) as fleet:
        fleet.launcher.switch(1, ["ann"])
        yield fleet


def test_a_service_sees_its_image_storage_and_state_at_the_paths_that_its_image_names(fleet: Fleet) -> None:
    script = """
    cat /srv/statehold/image/note; echo stored > /var/lib/nav/data/file
    printf state > /var/lib/nav/state/state.dat; pwd
    while :; do sleep 1000; done
    """
    image = fleet.image(
        "nav",
        script=script,
        args=["/srv/statehold/image/main.sh"],
        imagePath="/srv/statehold/image",
        storagePath="/var/lib/nav/data",
        statePath="/var/lib/nav/state/state.dat",
    )
    (image / "note").write_text("from the image\n")
    fleet.launcher.install(1, "nav", image)
    status = fleet.runs("nav")
    if "not at their paths" in status.message or "of the host" in status.message:
        pytest.skip(f"nothing can be bound here: {status.message}")
    wait_for(lambda: "/srv/statehold/image" in fleet.logged("nav"))
    assert "from the image" in fleet.logged("nav")
    assert (fleet.path("nav") / "file").read_text() == "stored\n"
    wait_for(lambda: fleet.cloud.state(claim("nav")) == b"state")
    assert not Path("/var/lib/nav").exists()
    assert not Path("/srv/statehold").exists()


def test_a_service_has_nothing_of_the_host_s_environment_and_a_user_of_its_own(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    status = fleet.install(
        "nav",
        script="env; echo uid=$(id -u) groups=$(id -G); while :; do sleep 1000; done",
        env={"MINE": "x y"},
    )
    wait_for(lambda: "uid=" in fleet.logged("nav"))
    logged = fleet.logged("nav")
    assert "MINE=x y" in logged
    assert "SECRET_OF_THE_HOST" not in logged
    row = fleet.tables.services.get("nav")
    if is_root():
        assert f"uid={row.uid} groups={row.gid}" in logged
        assert row.uid is not None
        assert row.uid >= 0x6000_0000
        assert fleet.path("nav").stat().st_uid == row.uid
    assert status.pid is not None
    assert row.state == ServiceState.RUNNING


def test_an_update_keeps_user_storage_and_state(fleet: Fleet) -> None:
    fleet.install("nav", 1, COUNTS, env={"VERSION": "1"})
    (fleet.path("nav") / "map").write_text("a map")
    before = fleet.tables.services.get("nav")
    inode = fleet.path("nav").stat().st_ino
    fleet.install("nav", 2, COUNTS, env={"VERSION": "2"}, quotas={"storageLimit": 2_000_000})
    after = fleet.tables.services.get("nav")
    assert (after.uid, after.gid, after.version) == (before.uid, before.gid, 2)
    assert fleet.path("nav").stat().st_ino == inode
    assert (fleet.path("nav") / "map").read_text() == "a map"
    wait_for(lambda: fleet.cloud.state(claim("nav")) == b"12")
    assert fleet.limit("nav") == 2_000_000 + 2 * 1000 + SLACK
    assert not Path(before.path).exists()


def test_an_update_that_does_not_stay_is_taken_back_with_all_limits(patient: Fleet) -> None:
    fleet = patient
    fleet.install("nav", 1, COUNTS, env={"VERSION": "1"})
    before = fleet.tables.services.get("nav")
    image = fleet.image("nav", 2, FAILS, quotas={"storageLimit": 1, "stateLimit": 7})
    fleet.launcher.install(1, "nav", image)
    status = fleet.sees("nav", lambda one: one.phase is Phase.RUNNING and "version 2" in one.message)
    assert status.message == "version 2 was taken back: it ended with code 3; it wrote last: broken"
    after = fleet.tables.services.get("nav")
    assert (after.version, after.path, after.uid) == (1, before.path, before.uid)
    assert (after.storage_limit, after.state_limit) == (1_000_000, 1000)
    assert fleet.limit("nav") == 1_000_000 + 2 * 1000 + SLACK
    assert fleet.state.storage.limit(1, "nav", ANN) == 1000
    assert len(list((fleet.folder / "launcher/services/1").glob("*/*"))) == 1


def test_an_update_that_is_well_stands_once_the_disk_takes_it(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_launcher, "_RETRY", 0.05)
    fleet.install("nav", 1)
    end_update, is_full = Journal.end_update, threading.Event()
    is_full.set()

    def ends(journal: Journal, service: ServiceId) -> None:
        if is_full.is_set():
            raise StorageError("the disk is full")
        end_update(journal, service)

    monkeypatch.setattr(Journal, "end_update", ends)
    fleet.install("nav", 2)
    journal = fleet.launcher._journal
    assert journal.notes.updates
    is_full.clear()
    wait_for(lambda: not journal.notes.updates)
    fleet.end()
    fleet.start()
    fleet.runs("nav", 2)


def test_where_the_version_before_does_not_start_either_nothing_is_removed(patient: Fleet) -> None:
    fleet = patient
    once = 'if [ -e "$AOS_STORAGE_FOLDER/here" ]; then exit 4; fi; echo > "$AOS_STORAGE_FOLDER/here"; '
    fleet.install(
        "nav",
        1,
        once + "while :; do sleep 1000; done",
        runParameters={"startBurst": 2, "restartInterval": 0.01},
    )
    fleet.launcher.install(1, "nav", fleet.image("nav", 2, FAILS))
    fleet.sees("nav", lambda one: one.phase is Phase.FAILED)
    assert (fleet.path("nav") / "here").exists()
    assert fleet.tables.services.get("nav").version == 1
    assert fleet.tables.services.get("nav").status == ServiceStatus.ERROR


def test_an_older_version_is_refused_and_the_same_one_is_given_to_others(fleet: Fleet) -> None:
    fleet.install("nav", 2)
    with pytest.raises(StorageError, match=r"version 1 is older than 2"):
        fleet.launcher.install(1, "nav", fleet.image("nav", 1))
    pid = fleet.install("nav", 2).pid
    assert fleet.status("nav").pid == pid
    fleet.launcher.switch(1, ["bob"])
    fleet.sees("nav", lambda one: one.phase is Phase.INSTALLED)
    assert fleet.install("nav", 2).users == BOB
    assert fleet.path("nav", BOB) != fleet.path("nav", ANN)
    assert fleet.limit("nav") == 1_000_000 + 2 * (2 * 1000 + SLACK)
    wait_for((fleet.path("nav", BOB) / "here").exists)


def test_another_user_is_there_with_other_services_and_files(fleet: Fleet) -> None:
    radio = known(fleet.install("radio").pid)
    nav = known(fleet.install("nav").pid)
    fleet.launcher.switch(1, ["bob"])
    fleet.install("map")
    assert not alive(radio)
    assert not alive(nav)
    assert [one.phase for one in fleet.launcher.status(1)] == [
        Phase.RUNNING,
        Phase.INSTALLED,
        Phase.INSTALLED,
    ]
    fleet.launcher.switch(1, ["ann"])
    fleet.runs("nav")
    fleet.runs("radio")
    fleet.sees("map", lambda one: one.phase is Phase.INSTALLED)


def test_a_service_that_is_removed_leaves_the_others_users_theirs(fleet: Fleet) -> None:
    fleet.install("nav", 1, COUNTS, env={"VERSION": "1"})
    ann = fleet.path("nav", ANN)
    fleet.launcher.switch(1, ["bob"])
    fleet.install("nav", 1, COUNTS, env={"VERSION": "1"})
    bob = fleet.path("nav", BOB)
    fleet.launcher.remove(1, "nav")
    wait_for(lambda: not bob.exists())
    assert ann.exists()
    assert fleet.state.storage.limit(1, "nav", BOB) is None
    assert fleet.state.storage.limit(1, "nav", ANN) == 1000
    assert fleet.status("nav").phase is Phase.INSTALLED
    fleet.launcher.switch(1, ["ann"])
    fleet.runs("nav")


def test_a_service_that_is_purged_is_gone_with_all_it_had(fleet: Fleet) -> None:
    pid = known(fleet.install("nav").pid)
    folder = fleet.path("nav")
    fleet.launcher.purge(1, "nav")
    fleet.gone("nav")
    assert not alive(pid)
    assert not folder.exists()
    assert not list((fleet.folder / "launcher/services").iterdir())
    assert fleet.tables.users.all() == []
    fleet.install("nav")


def test_what_nobody_has_used_for_its_time_is_removed_with_storage_and_state(fleet: Fleet) -> None:
    fleet.install("nav", ttlDays=2)
    folder = fleet.path("nav")
    fleet.clock.more += 40 * 86_400  # it runs for 40 days, which is no reason to remove it
    fleet.launcher.switch(1, ["bob"])
    fleet.sees("nav", lambda one: one.phase is Phase.INSTALLED)
    fleet.clock.more += 1.9 * 86_400
    fleet.launcher.switch(1, ["carl"])
    fleet.install("map")
    assert folder.exists()
    fleet.clock.more += 0.2 * 86_400
    fleet.launcher.switch(1, ["bob"])
    wait_for(lambda: not folder.exists())
    fleet.gone("nav")
    assert [one.service for one in fleet.launcher.status(1)] == ["map"]


def test_a_clock_that_is_not_set_yet_makes_nothing_old(fleet: Fleet) -> None:
    """As that of a machine which forgets the time when it is off."""
    fleet.install("nav", ttlDays=2)
    folder = fleet.path("nav")
    fleet.end()
    fleet.clock.more -= 50 * 365 * 86_400
    fleet.start()
    fleet.runs("nav")
    fleet.launcher.switch(1, ["bob"])
    fleet.sees("nav", lambda one: one.phase is Phase.INSTALLED)
    fleet.clock.more = 86_400
    fleet.launcher.switch(1, ["carl"])
    fleet.install("map")
    assert folder.exists()
    fleet.clock.more += 1.5 * 86_400
    fleet.launcher.switch(1, ["bob"])
    wait_for(lambda: not folder.exists())
    fleet.gone("nav")


def test_a_clock_that_is_far_in_the_future_for_a_while_makes_nothing_old(tmp_path: Path) -> None:
    with Fleet(tmp_path, SteadySeconds=3600) as fleet:
        fleet.launcher.switch(1, ["ann"])
        fleet.install("nav", ttlDays=2)
        folder = fleet.path("nav")
        fleet.launcher.switch(1, ["bob"])
        fleet.sees("nav", lambda one: one.phase is Phase.INSTALLED)
        fleet.clock.more += 100 * 365 * 86_400
        fleet.launcher.switch(1, ["carl"])
        soon = time.monotonic()
        wait_for(lambda: fleet.launcher._expire_at > soon + 1, "it has looked")
        assert fleet.launcher._journal.notes.removals == []
        assert fleet.launcher._journal.notes.seen < fleet.launcher._now() - 86_400_000
        fleet.clock.more = 0.0
        fleet.launcher.switch(1, ["ann"])
        fleet.runs("nav")
        assert folder.exists()


def test_what_is_removed_while_an_update_is_tried_can_be_installed_in_a_newer_version(
    tmp_path: Path,
) -> None:
    with Fleet(tmp_path) as fleet:
        fleet.launcher.switch(1, ["ann"])
        fleet.install("nav")
        fleet.launcher._keeper.health = 3600.0  # from now on, nothing has been there for long enough
        fleet.launcher.install(1, "nav", fleet.image("nav", 2))
        fleet.sees("nav", lambda one: one.version == 2 and one.pid)
        with pytest.raises(StorageError, match="version 2 is still being tried"):
            fleet.launcher.install(1, "nav", fleet.image("nav", 3))
        fleet.launcher.remove(1, "nav")
        wait_for(lambda: not fleet.launcher._journal.notes.removals)
        fleet.launcher.install(1, "nav", fleet.image("nav", 3))
        tried = fleet.launcher._journal.update(ServiceId(1, "nav"))
        assert tried is not None
        assert tried.before["version"] == 1, "version 2 was never seen to be well"
        pid = fleet.sees("nav", lambda one: one.version == 3 and one.pid).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        fleet.sees("nav", lambda one: "version 3 was taken back" in one.message)
        assert fleet.sees("nav", lambda one: one.pid).version == 1
        images = [each.name for each in (tmp_path / "launcher/services").glob("*/*/*")]
        assert [name.partition("-")[0] for name in images] == ["1"]


def test_a_service_that_ends_is_started_again_and_says_why_when_it_is_left_alone(fleet: Fleet) -> None:
    parameters = {"startBurst": 3, "restartInterval": 0.01}
    fleet.launcher.install(1, "nav", fleet.image("nav", 1, FAILS, runParameters=parameters))
    status = fleet.sees("nav", lambda one: one.phase is Phase.FAILED)
    assert (status.restarts, status.message) == (2, "ended with code 3; it wrote last: broken")
    assert fleet.tables.services.get("nav").status == ServiceStatus.ERROR
    fleet.install("nav", 2)
    assert fleet.tables.services.get("nav").status == ServiceStatus.OK


def test_limits_are_set_again_at_each_start(fleet: Fleet) -> None:
    pid = fleet.install("nav").pid
    storage = fleet.storage.storage
    storage.apply_batch([storage.intent(1, "nav", "", StorageLimit=77)])
    fleet.launcher.restart(1, "nav")
    fleet.sees("nav", lambda one: one.phase is Phase.RUNNING and one.pid not in (None, pid))
    assert fleet.limit("nav") == 1_000_000 + 2 * 1000 + SLACK


def test_no_service_gets_the_user_of_another_one_in_any_workspace(fleet: Fleet) -> None:
    if not is_root():
        pytest.skip("only root may give a process another user")
    fleet.install("nav")
    uid = fleet.tables.services.get("nav").uid
    assert uid is not None
    fleet.launcher.switch(2, ["bob"])
    for workspace in (1, 2):
        with pytest.raises(StorageError, match=f"asks for user {uid}, which is another service's"):
            fleet.launcher.install(workspace, "radio", fleet.image("radio", uid=uid))
    assert fleet.install("radio", uid=uid + 1).users == ANN
    assert fleet.tables.services.get("radio").uid == uid + 1


def test_a_service_without_storage_may_have_a_state(fleet: Fleet) -> None:
    script = 'echo "${AOS_STORAGE_FOLDER-none}"; printf on > "$AOS_STATE_FILE"; while :; do sleep 1000; done'
    fleet.install("nav", script=script, quotas={"storageLimit": 0})
    wait_for(lambda: fleet.cloud.state(claim("nav")) == b"on")
    assert "none" in fleet.logged("nav")
    assert fleet.limit("nav") == 2 * 1000 + SLACK


def test_an_update_without_storage_and_state_removes_nothing(fleet: Fleet) -> None:
    fleet.install("nav", 1, COUNTS, env={"VERSION": "1"})
    folder = fleet.path("nav")
    wait_for(lambda: fleet.cloud.state(claim("nav")) == b"1")
    idle = "while :; do sleep 1000; done"
    fleet.install("nav", 2, idle, quotas={"storageLimit": 0, "stateLimit": 0})
    assert (folder / "state.dat").read_bytes() == b"1"
    fleet.install("nav", 3, COUNTS, env={"VERSION": "3"})
    wait_for(lambda: fleet.cloud.state(claim("nav")) == b"13")


def test_a_state_from_the_cloud_reaches_a_service_without_a_restart(fleet: Fleet) -> None:
    pid = fleet.install("nav", 1, COUNTS, env={"VERSION": "1"}).pid
    wait_for(lambda: fleet.cloud.state(claim("nav")) == b"1")
    fleet.gateway.push(claim("nav"), b"pushed")
    wait_for(lambda: (fleet.path("nav") / "state.dat").read_bytes() == b"pushed")
    assert fleet.status("nav").pid == pid


def test_a_service_with_a_wrong_state_is_held_until_the_right_one_is_there(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.state_options["WrongState"] = "hold"
    with fleet:
        fleet.launcher.switch(1, ["ann"])
        fleet.launcher.install(1, "nav", fleet.image("nav", 1, COUNTS, env={"VERSION": "1"}))
        assert "the cloud is asked" in fleet.sees("nav", lambda one: one.phase is Phase.HELD).message
        fleet.gateway.push(claim("nav"), b"right")
        fleet.runs("nav")
        wait_for(lambda: fleet.cloud.state(claim("nav")) == b"right1")


def test_services_end_in_order_and_what_they_wrote_last_is_kept_for_the_cloud(tmp_path: Path) -> None:
    last = """
    trap 'printf %s last > "$AOS_STATE_FILE.new"; mv "$AOS_STATE_FILE.new" "$AOS_STATE_FILE"; exit' TERM
    echo here > "$AOS_STORAGE_FOLDER/here"; while :; do sleep 0.05; done
    """
    fleet = Fleet(tmp_path)
    fleet.online = False
    with fleet:
        fleet.launcher.switch(1, ["ann"])
        pid = known(fleet.install("nav", script=last).pid)
        here = fleet.path("nav") / "here"
        wait_for(here.exists)
    assert not alive(pid)
    assert fleet.cloud.state(claim("nav")) is None
    fleet.online = True
    fleet.image("nav", 2, STAYS_QUIET)
    with fleet:
        wait_for(lambda: fleet.cloud.state(claim("nav")) == b"last")


STAYS_QUIET = "while :; do sleep 1000; done"


def test_an_error_in_the_midst_of_the_end_keeps_no_service_from_ending(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = [known(fleet.install(name, priority=number).pid) for number, name in enumerate("abc")]
    before = fleet.launcher._installer.stores.state.stopped

    def stopped(key: object) -> None:
        if getattr(key, "Service", "") == "b":
            raise StorageError("the disk is full")
        before(key)  # type: ignore[arg-type]

    monkeypatch.setattr(fleet.launcher._installer.stores.state, "stopped", stopped)
    fleet.end()
    assert not any(map(alive, pids))


def test_what_cannot_be_installed_leaves_nothing_behind(fleet: Fleet) -> None:
    good = fleet.image("nav")
    (good / "config.json").write_text('{"version": 1, "command": "x", "colour": "red"}')
    with pytest.raises(StorageError, match=r"config\.json of .*colour"):
        fleet.launcher.install(1, "nav", good)
    with pytest.raises(StorageError, match="there is no image of a service at"):
        fleet.launcher.install(1, "nav", fleet.folder / "none")
    fleet.launcher.switch(1, [])
    with pytest.raises(StorageError, match="nobody is there"):
        fleet.launcher.install(1, "nav", fleet.image("nav"))
    assert fleet.launcher.status(1) == []
    assert list((fleet.folder / "launcher").glob("services/*")) == []
    assert list(fleet.storage.facade.read(fleet.storage.prefix(1))) == []
