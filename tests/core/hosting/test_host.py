from __future__ import annotations

import logging
import stat
import subprocess
import sys
import threading
import traceback

import pytest

from statehold.hosting import Host, VersionState
from statehold.sdk import (
    CompileError,
    DeployError,
    FreedError,
    HostError,
    ImageError,
    Scope,
)


def reading(host, app="acme.kitchen", partition=0, version=None):
    """Return what the app's Scada answers: its version's number times 1000, plus the partition's."""
    with host.app(app).borrow(partition, version=version) as borrowed:
        return borrowed.scoped("kitchen.Scada", Scope.QUERIES).find(1, Device="oven").Reading


def states(host, app="acme.kitchen"):
    (found,) = [status for status in host.apps() if status.app == app]
    return {version.version: version.state.value for version in found.versions}


def files(host_folder):
    return sorted(path.name.partition(".")[2] for path in (host_folder / "images").iterdir()), len(
        list((host_folder / "storages").iterdir())
    )


def test_a_deployed_image_answers(host, kitchen):
    version = host.deploy(kitchen("1", parts=2))
    assert (version.app, version.name, version.state) == ("acme.kitchen", "1", VersionState.CURRENT)
    assert (reading(host), reading(host, partition=1)) == (1000, 1001)


def test_an_application_folder_can_be_deployed_as_it_is(host, kitchen):
    host.deploy(kitchen.source("1"))
    assert reading(host) == 1000


def test_a_new_version_replaces_the_one_before_it_which_is_freed(host, kitchen):
    first = host.deploy(kitchen("1"))
    opened = len(first.partitions[0].storages)
    host.deploy(kitchen("2"))
    assert reading(host) == 2000
    report = first.wait_freed(60)
    assert (report.storages, report.problems, report.survivors) == (opened, (), ())
    assert states(host) == {"1": "previous", "2": "current"}


def test_a_version_can_stay_beside_and_be_made_current_later(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"), activate=False)
    assert (reading(host), reading(host, version="2")) == (1000, 2000)
    assert states(host) == {"1": "current", "2": "ready"}
    host.activate("acme.kitchen", "2")
    assert reading(host) == 2000
    assert host.app("acme.kitchen").current.name == "2"


def test_several_apps_live_side_by_side(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2", app="acme.canteen"))
    assert (reading(host), reading(host, "acme.canteen")) == (1000, 2000)
    assert [status.app for status in host.apps()] == ["acme.canteen", "acme.kitchen"]


def test_a_roll_back_makes_the_version_before_current_again_and_back(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"))
    assert host.rollback("acme.kitchen").name == "1"
    assert reading(host) == 1000
    host.rollback("acme.kitchen")
    assert reading(host) == 2000


def test_of_two_who_roll_back_at_once_the_second_is_told_what_is_current_now(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"))
    deployed = host._deployed
    entries = deployed.entries

    def another_is_faster(app):
        deployed.entries = entries
        host.rollback(app)
        return entries(app)

    deployed.entries = another_is_faster
    with pytest.raises(DeployError, match="was not rolled back: 1 became current meanwhile"):
        host.rollback("acme.kitchen")
    assert reading(host) == 1000


def test_who_waits_for_another_change_is_told_so(host, kitchen):
    host.deploy(kitchen("1"))
    waits = threading.Event()

    def progress(step):
        if step == "wait for another change of acme.kitchen to end":
            waits.set()

    image = kitchen("2")
    thread = threading.Thread(target=lambda: host.deploy(image, progress=progress))
    with host.app("acme.kitchen").changing:
        thread.start()
        assert waits.wait(30)
    thread.join(30)
    assert reading(host) == 2000


def test_a_deploy_that_is_interrupted_while_it_is_registered_has_not_happened(host, kitchen):
    host.deploy(kitchen("1"))
    registry = host._registry
    add = registry.add

    def interrupted(entry, **how):
        add(entry, **how)
        raise KeyboardInterrupt

    registry.add = interrupted
    with pytest.raises(KeyboardInterrupt):
        host.deploy(kitchen("2"))
    registry.add = add
    assert states(host) == {"1": "current"}
    assert reading(host) == 1000
    assert host.deploy(kitchen("2")).state is VersionState.CURRENT


def test_without_a_version_before_there_is_nothing_to_roll_back_to(host, kitchen):
    host.deploy(kitchen("1"))
    with pytest.raises(HostError, match="no version before the current one"):
        host.rollback("acme.kitchen")


def test_a_borrowed_version_stays_open_until_its_borrower_leaves(host, kitchen):
    first = host.deploy(kitchen("1"))
    with host.app("acme.kitchen").borrow() as partition:
        host.deploy(kitchen("2"))
        assert first.state is VersionState.DRAINING
        assert partition.storage("kitchen.Scada").open
        assert states(host)["1"] == "draining"
        with pytest.raises(HostError, match="not freed within 0 s"):
            first.wait_freed(0)
        facade = partition.scoped("kitchen.Scada", Scope.QUERIES)
    assert first.wait_freed(60).problems == ()
    assert first.state is VersionState.FREED
    for use in (facade.get, facade.key, facade.insert, facade.find):
        with pytest.raises(FreedError):
            use(1)
    for use in (
        lambda: partition.storage("kitchen.Scada"),
        lambda: partition.facades("kitchen.Show"),
        lambda: partition.scoped("kitchen.Scada", Scope.JOBS),
    ):
        with pytest.raises(FreedError):
            use()


def test_one_borrowing_cannot_be_entered_twice_and_forget_a_borrower(host, kitchen):
    version = host.deploy(kitchen("1"))
    borrowed = host.app("acme.kitchen").borrow()
    with borrowed, pytest.raises(HostError, match="borrowed already"):
        borrowed.__enter__()
    with borrowed:
        host.undeploy("acme.kitchen")
    assert version.wait_freed(60).problems == ()


def test_storages_open_in_the_order_of_what_they_require_and_are_freed_in_reverse(host, kitchen, caplog):
    caplog.set_level(logging.INFO, "statehold.acme")
    version = host.deploy(kitchen("1", parts=2))
    host.undeploy("acme.kitchen")
    version.wait_freed(60)
    prefix = "statehold.acme.kitchen.1."
    told = [
        f"{name.removeprefix(prefix)} {text}"
        for name, _, text in caplog.record_tuples
        if name.startswith(prefix)
    ]
    assert told == [
        "0.kitchen.Scada open",
        "0.kitchen.Scada probe",
        "0.kitchen.Historian open",
        "0.kitchen.Historian probe",
        "1.kitchen.Scada open",
        "1.kitchen.Scada probe",
        "1.kitchen.Historian open",
        "1.kitchen.Historian probe",
        "1.kitchen.Historian free",
        "1.kitchen.Scada free",
        "0.kitchen.Historian free",
        "0.kitchen.Scada free",
    ]


@pytest.mark.parametrize(
    "fail",
    ["open Scada 0", "open Historian 1", "probe Scada 1", "probe Historian 0"],
)
def test_a_storage_that_fails_leaves_the_running_version_alone(host, kitchen, fail, caplog, tmp_path):
    host.deploy(kitchen("1", parts=2))
    caplog.set_level(logging.INFO, "statehold.acme")
    with pytest.raises(DeployError) as raised:
        host.deploy(kitchen("2", parts=2, fail=fail))
    what, storage, partition = fail.split()
    assert f"kitchen.{storage}: StorageError: told to fail: {what}" in str(raised.value)
    assert f"in partition {partition}" in str(raised.value)
    assert reading(host) == 1000
    assert states(host) == {"1": "current"}
    opened = [r.name for r in caplog.records if r.message == "open" and ".2." in r.name]
    freed = [r.name for r in caplog.records if r.message == "free"]
    if what == "open":
        opened.pop()
    assert freed == opened[::-1]
    assert files(tmp_path / "data") == (["shi"], 1)


@pytest.mark.parametrize("what", ["open", "probe"])
def test_a_storage_that_exits_does_not_end_the_host(host, kitchen, what):
    with pytest.raises(DeployError, match="SystemExit: 0"):
        host.deploy(kitchen("1", fail=f"exit {what}"))
    assert host.apps() == ()


def test_an_interrupted_deploy_frees_what_it_had_opened(host, kitchen, caplog):
    caplog.set_level(logging.INFO, "statehold.acme")
    host.deploy(kitchen("1"))
    image = kitchen("2")
    for step in ("compile", "load", "open", "make"):

        def interrupt(text, step=step):
            if text.startswith(step):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            host.deploy(image, progress=interrupt)
        assert states(host) == {"1": "current"}
    for version in host._retirer.live:
        if version.name == "2":
            version.wait_freed(60)
    told = [record.message for record in caplog.records if ".2.0." in record.name]
    assert told.count("open") == told.count("free")
    host.deploy(image)
    assert reading(host) == 2000


def test_every_storage_that_cannot_be_opened_is_named(host, kitchen):
    image = kitchen(
        "1",
        fail="open Scada 0",
        more="""
        STATESTORAGE ENGINE PYPLUGIN (
          STORAGE Second (GET SCOPE(QUERIES)) KEY (Device text NOT NULL) VALUE (Reading int64)
          WITH PROVIDER=Scada, JSONCONFIG=`{"Fail": "open Second 0"}`;
        )""",
    )
    with pytest.raises(DeployError) as raised:
        host.deploy(image)
    assert [problem.partition(":")[0] for problem in raised.value.problems] == [
        "kitchen.Second",
        "kitchen.Scada",
    ]


def test_all_that_is_wrong_before_opening_is_told_at_once(host, kitchen):
    image = kitchen(
        "1",
        more="SECRET Token text;",
        Storages={
            "kitchen.Scad": {},
            "kitchen.Scada": {"scopes": {"INSERT": ["QUERIES"]}, "version": "7"},
            "kitchen.Historian": {"isolation": "sidecar", "limits": {"memory_mb": 64}},
        },
        PackageParams={"kitchen": {"Fial": "x"}},
    )
    with pytest.raises(DeployError) as raised:
        host.deploy(image)
    told = "\n".join(raised.value.problems)
    assert "Did you mean 'kitchen.Scada'?" in told
    assert "did you mean 'Fail'?" in told
    assert "secret kitchen.Token is missing" in told
    assert "no plugin file of version '7'" in told
    assert "Storages.kitchen.Historian.limits: unknown key 'memory_mb'. Did you mean 'memory_mib'?" in told
    assert len(raised.value.problems) == 5
    assert host.apps() == ()


def test_limits_that_nothing_would_enforce_are_refused(host, kitchen):
    image = kitchen("1", Storages={"kitchen.Scada": {"isolation": "inprocess", "limits": {"memory_mib": 64}}})
    with pytest.raises(DeployError, match=r"kitchen\.Scada\.limits: nothing limits .* Take it out"):
        host.deploy(image)


def test_an_operator_cannot_widen_a_declaration(host, kitchen):
    image = kitchen("1", Storages={"kitchen.Scada": {"scopes": {"INSERT": ["QUERIES"]}}})
    with pytest.raises(DeployError, match="INSERT: QUERIES is wider than the declaration"):
        host.deploy(image)


def test_errors_in_declarations_are_told_with_their_diagnostics(host, kitchen):
    image = kitchen("1", extensions="JOB Clean '@hourly' STATE(Historian);")
    with pytest.raises(CompileError) as raised:
        host.deploy(image)
    assert raised.value.diagnostics
    assert "statehold check" in raised.value.hint


def test_a_damaged_image_is_refused(host, tmp_path):
    (tmp_path / "acme.kitchen.shi").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ImageError):
        host.deploy(tmp_path / "acme.kitchen.shi")


def test_the_same_image_again_changes_nothing(host, kitchen):
    image = kitchen("1")
    assert host.deploy(image) is host.deploy(image)


def test_other_contents_under_the_same_version_are_refused(host, kitchen):
    host.deploy(kitchen("1"))
    with pytest.raises(DeployError, match="a version '1' already, with other contents"):
        host.deploy(kitchen("1", code="# changed"))


def test_another_number_of_partitions_is_refused(host, kitchen):
    host.deploy(kitchen("1", parts=2))
    with pytest.raises(DeployError, match="NumParts 3, and version 1 is deployed with 2"):
        host.deploy(kitchen("2", parts=3))


def test_a_storage_is_handed_the_one_it_replaces(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"))
    with host.app("acme.kitchen").borrow() as partition:
        storage = partition.storage("kitchen.Scada")
        assert storage.taken_over == "1"
        assert storage.ctx.existing is None


def test_a_version_that_stays_beside_takes_nothing_over(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"), activate=False)
    with host.app("acme.kitchen").borrow(version="2") as partition:
        assert partition.storage("kitchen.Scada").taken_over is None


def test_another_provider_under_the_same_name_is_handed_nothing(host, kitchen):
    second = """
    STATESTORAGE ENGINE PYPLUGIN (
      STORAGE Second (GET SCOPE(QUERIES)) KEY (Device text NOT NULL) VALUE (Reading int64)
      WITH PROVIDER={};
    )"""
    host.deploy(kitchen("1", more=second.format("Scada")))
    host.deploy(kitchen("2", more=second.format("Historian")), accept_breaking=True)
    with host.app("acme.kitchen").borrow() as partition:
        assert partition.storage("kitchen.Second").taken_over is None
        assert partition.storage("kitchen.Scada").taken_over == "1"


def test_a_storage_gets_those_that_it_requires(host, kitchen):
    host.deploy(kitchen("1", parts=2))
    with host.app("acme.kitchen").borrow(1) as partition:
        historian = partition.storage("kitchen.Historian")
        assert dict(historian.ctx.storages) == {"Scada": partition.storage("kitchen.Scada")}


def test_hooks_of_an_image_hear_that_their_version_is_open_and_freed(host, kitchen, caplog):
    caplog.set_level(logging.INFO, "heard")
    hooks = """
import logging
from statehold.sdk import hookimpl
class Hooks:
    @hookimpl
    def statehold_version_opened(self, app, version):
        logging.getLogger("heard").info("%s %s opened", app, version)
    @hookimpl
    def statehold_version_freed(self, version):
        logging.getLogger("heard").info("%s freed", version)
hooks = Hooks()
"""
    more = '[project.entry-points."statehold.hooks"]\nkitchen = "kitchen_devices:hooks"\n'
    version = host.deploy(kitchen("1", code=hooks, project=more))
    assert caplog.messages == ["acme.kitchen 1 opened"]
    host.undeploy("acme.kitchen")
    report = version.wait_freed(60)
    assert caplog.messages == ["acme.kitchen 1 opened", "1 freed"]
    assert (report.problems, report.survivors) == ((), ())


def test_a_hook_that_refuses_keeps_the_version_from_becoming_current(host, kitchen):
    hooks = """
from statehold.sdk import hookimpl
class Hooks:
    @hookimpl
    def statehold_version_opened(self, app, version):
        raise RuntimeError("not today")
hooks = Hooks()
"""
    more = '[project.entry-points."statehold.hooks"]\nkitchen = "kitchen_devices:hooks"\n'
    host.deploy(kitchen("1"))
    with pytest.raises(DeployError, match="a hook refused it: RuntimeError: not today"):
        host.deploy(kitchen("2", code=hooks, project=more))
    assert reading(host) == 1000


def test_two_versions_of_one_plugin_run_side_by_side(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"), activate=False)
    app = host.app("acme.kitchen")
    with app.borrow(version="1") as old, app.borrow(version="2") as new:
        first, second = old.storage("kitchen.Scada"), new.storage("kitchen.Scada")
        assert type(first) is not type(second)
        assert (first.version, second.version) == ("1", "2")


FORGET = """
import gc, sys
from pathlib import Path
from statehold.hosting import Host
# While another thread collects garbage, a collection that is asked for does nothing.
gc.disable()
host = Host(Path(sys.argv[1]), environ={})
host.deploy(Path(sys.argv[2]))
del host
while gc.collect():
    pass
Host(Path(sys.argv[1]), environ={}, apps=()).close()
"""


def test_a_host_that_is_forgotten_warns_and_gives_its_folder_back(tmp_path, kitchen):
    command = [sys.executable, "-W", "always", "-c", FORGET, tmp_path / "data", kitchen("1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ResourceWarning: kitchen.Scada of partition 0 of acme.kitchen 1 was not freed" in done.stderr


def test_undeploying_forgets_the_app_and_its_files_but_not_its_data(host, kitchen, tmp_path):
    version = host.deploy(kitchen("1"))
    host.undeploy("acme.kitchen")
    version.wait_freed(60)
    assert host.apps() == ()
    assert files(tmp_path / "data") == ([], 0)
    assert (tmp_path / "data/apps/acme.kitchen/0/kitchen.Scada").is_dir()
    with pytest.raises(HostError, match=r"no app 'acme.kitchen'"):
        host.app("acme.kitchen")


def test_one_version_can_be_taken_away_but_not_the_current_one_of_several(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"), activate=False)
    with pytest.raises(DeployError, match="current version and cannot be taken away alone"):
        host.undeploy("acme.kitchen", "1")
    host.undeploy("acme.kitchen", "2")
    assert states(host) == {"1": "current"}
    host.undeploy("acme.kitchen", "1")
    assert host.apps() == ()


def test_only_files_of_registered_versions_are_kept(host, kitchen, tmp_path):
    replaced = [host.deploy(kitchen(version)) for version in "1234"]
    host.deploy(kitchen("5"))
    # Several are freed at once, each taking away what it alone needed.
    for version in replaced:
        version.wait_freed(60)
    assert files(tmp_path / "data") == (["shi", "shi"], 2)


def test_a_restart_brings_back_what_was_current_and_ready(open_host, kitchen):
    host = open_host()
    for version in "12":
        host.deploy(kitchen(version))
    host.deploy(kitchen("3"), activate=False)
    host.deploy(kitchen("7", app="acme.canteen"))
    host.close()
    host = open_host()
    assert (reading(host), reading(host, version="3"), reading(host, "acme.canteen")) == (2000, 3000, 7000)
    assert states(host) == {"1": "previous", "2": "current", "3": "ready"}
    host.rollback("acme.kitchen")
    assert reading(host) == 1000


def test_a_host_brings_back_only_the_apps_it_is_asked_for(open_host, kitchen):
    host = open_host()
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2", app="acme.canteen"))
    host.close()
    host = open_host(apps=["acme.canteen"])
    assert states(host) == {"1": "stopped"}
    assert reading(host, "acme.canteen") == 2000
    with pytest.raises(HostError, match=r"no app 'acme.kitchen' is running here.*It is deployed"):
        host.app("acme.kitchen")
    with pytest.raises(HostError, match=r"no app 'acme.kichen' is deployed.*Did you mean 'acme.kitchen'"):
        host.app("acme.kichen")
    host.undeploy("acme.kitchen")
    assert [status.app for status in host.apps()] == ["acme.canteen"]


def test_a_version_that_cannot_be_brought_back_does_not_stop_other_apps(open_host, kitchen, tmp_path):
    host = open_host()
    broken = host.deploy(kitchen("1"))
    host.deploy(kitchen("2", app="acme.canteen"))
    host.close()
    image = tmp_path / "data/images" / f"{broken.digest}.shi"
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 0xFF
    image.write_bytes(data)
    host = open_host()
    assert reading(host, "acme.canteen") == 2000
    assert states(host) == {"1": "failed"}
    (warning,) = host.warnings
    assert warning.startswith("acme.kitchen 1 could not be brought back: ")
    with pytest.raises(HostError, match=r"version 1 could not be opened: .*Mend this"):
        host.app("acme.kitchen")
    host.deploy(kitchen("3"))
    assert reading(host) == 3000


def test_a_storage_that_hangs_when_freed_is_reported_and_does_not_stop_the_others(open_host, kitchen, caplog):
    host = open_host(free_timeout=1.0)
    version = host.deploy(kitchen("1", fail="hang free Historian"))
    with host.app("acme.kitchen").borrow() as partition:
        historian, scada = partition.storage("kitchen.Historian"), partition.storage("kitchen.Scada")
    host.deploy(kitchen("2"))
    report = version.wait_freed(60)
    assert report.problems == (
        "kitchen.Historian of partition 0 of acme.kitchen 1: free() did not return within 1 s",
    )
    assert any("Device" in survivor for survivor in report.survivors)
    assert not scada.open
    assert report.problems[0] in host.warnings
    assert report.problems[0] in caplog.messages
    historian.hanging.set()


def test_a_secret_reaches_its_storage_and_no_log_or_error(open_host, kitchen, caplog):
    caplog.set_level(logging.INFO, "statehold.acme")
    host = open_host(environ={"STATEHOLD_SECRET_TOKEN": "hunter2"})
    options = {"more": "SECRET Token text;", "config": '{"Fail": "$Fail", "Token": "$Token"}'}
    host.deploy(kitchen("1", **options))
    with host.app("acme.kitchen").borrow() as partition:
        ctx = partition.storage("kitchen.Scada").ctx
        assert ctx.config.Token.reveal() == ctx.secrets["Token"].reveal() == "hunter2"
        ctx.logger.warning("the token is %s", ctx.config.Token.reveal())
    assert caplog.messages[-1] == "the token is ***"
    with pytest.raises(DeployError) as raised:
        host.deploy(kitchen("2", fail="leak", **options))
    told = "".join(traceback.format_exception(raised.value))
    assert "StorageError: refused: ***" in told
    assert "hunter2" not in told


def test_data_folders_are_private_to_the_user_and_the_same_for_every_version(host, kitchen, tmp_path):
    folders = []
    for version in "12":
        host.deploy(kitchen(version))
        with host.app("acme.kitchen").borrow() as partition:
            folders.append(partition.storage("kitchen.Scada").ctx.data_folder)
    assert folders == [tmp_path / "data/apps/acme.kitchen/0/kitchen.Scada"] * 2
    assert stat.S_IMODE(folders[0].stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_storages_of_sys_leave_no_empty_folders(host, shop, tmp_path):
    host.deploy(shop(NumParts=2))
    assert list((tmp_path / "data/apps").rglob("sys.*")) == []


def test_names_that_do_not_exist_are_told_with_the_nearest_one(host, kitchen):
    host.deploy(kitchen("1"))
    for call in (host.app, host.matrix, host.rollback, host.undeploy):
        with pytest.raises(HostError, match=r"no app 'acme.kichen'.*Did you mean 'acme.kitchen'"):
            call("acme.kichen")
    with pytest.raises(HostError, match="has no version '2'"):
        host.activate("acme.kitchen", "2")
    with pytest.raises(HostError, match=r"has no partition 5.*0 to 0"), host.app("acme.kitchen").borrow(5):
        pass


def test_progress_is_told_step_by_step(host, kitchen):
    steps = []
    host.deploy(kitchen("1", parts=2), progress=steps.append)
    assert [step.split()[0] for step in steps] == [
        "verify",
        "compile",
        "load",
        "open",
        "open",
        "probe",
        "index",
        "make",
    ]


def test_a_second_host_on_the_same_folder_is_refused(open_host, tmp_path):
    open_host()
    with pytest.raises(HostError, match="in use by another host"):
        Host(tmp_path / "data")
